-- Counters are rewritten in place again and again: with room on its page a new version of a row
-- needs no new index entry. Of hours that are over, half of each page stays empty: that is the price.
ALTER TABLE key_usage SET (fillfactor = 50);
--> statement-breakpoint
ALTER TABLE secret_usage SET (fillfactor = 50);
--> statement-breakpoint
ALTER TABLE usage_hourly SET (fillfactor = 50);
--> statement-breakpoint

-- Writes one frozen batch of counters. All of it hangs on claiming the batch's number: one that was
-- written before claims nothing and counts nothing. Tables and rows are written in one order, that of
-- the statement which older instances send, so that no two wait for each other. A function, because its statements are planned once a connection: small
-- batches, as when counting comes before answering, would spend most of their time on plans.
CREATE FUNCTION write_usage(
  batch_instance uuid, batch_lane text, batch_sequence bigint,
  key_ids text[], secret_refs text[], codes text[], hours_ms bigint[], counts bigint[],
  last_ms float8[],
  workspace_ids text[], unmatched_hours_ms bigint[], unmatched_counts bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO batch_sequences (instance, lane, sequence)
  VALUES (batch_instance, batch_lane, batch_sequence)
  ON CONFLICT (instance, lane) DO UPDATE SET sequence = excluded.sequence, updated_at = now()
  WHERE batch_sequences.sequence < excluded.sequence;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  INSERT INTO usage_unmatched (workspace_id, hour, count)
  SELECT u.workspace_id, to_timestamp(u.hour_ms / 1000), u.count
    FROM unnest(workspace_ids, unmatched_hours_ms, unmatched_counts)
         AS u (workspace_id, hour_ms, count)
   ORDER BY 1, 2
  ON CONFLICT (workspace_id, hour)
  DO UPDATE SET count = usage_unmatched.count + excluded.count;

  -- `greatest` passes over nulls.
  INSERT INTO secret_usage (secret_ref, total, last_used_at, last_denied_at)
  SELECT u.secret_ref, sum(u.count),
         to_timestamp(max(u.last_ms) FILTER (WHERE u.code = 'VALID') / 1000),
         to_timestamp(max(u.last_ms) FILTER (WHERE u.code <> 'VALID') / 1000)
    FROM unnest(secret_refs, codes, counts, last_ms) AS u (secret_ref, code, count, last_ms)
   GROUP BY 1 ORDER BY 1
  ON CONFLICT (secret_ref) DO UPDATE SET
    total = secret_usage.total + excluded.total,
    last_used_at = greatest(secret_usage.last_used_at, excluded.last_used_at),
    last_denied_at = greatest(secret_usage.last_denied_at, excluded.last_denied_at);

  INSERT INTO key_usage (key_id, total, last_used_at, last_denied_at)
  SELECT u.key_id, sum(u.count),
         to_timestamp(max(u.last_ms) FILTER (WHERE u.code = 'VALID') / 1000),
         to_timestamp(max(u.last_ms) FILTER (WHERE u.code <> 'VALID') / 1000)
    FROM unnest(key_ids, codes, counts, last_ms) AS u (key_id, code, count, last_ms)
   GROUP BY 1 ORDER BY 1
  ON CONFLICT (key_id) DO UPDATE SET
    total = key_usage.total + excluded.total,
    last_used_at = greatest(key_usage.last_used_at, excluded.last_used_at),
    last_denied_at = greatest(key_usage.last_denied_at, excluded.last_denied_at);

  INSERT INTO usage_hourly (key_id, hour, secret_ref, code, count)
  SELECT u.key_id, to_timestamp(u.hour_ms / 1000), u.secret_ref, u.code, u.count
    FROM unnest(key_ids, hours_ms, secret_refs, codes, counts)
         AS u (key_id, hour_ms, secret_ref, code, count)
   ORDER BY 1, 2, 3, 4
  ON CONFLICT (key_id, hour, secret_ref, code)
  DO UPDATE SET count = usage_hourly.count + excluded.count;
END
$$;
