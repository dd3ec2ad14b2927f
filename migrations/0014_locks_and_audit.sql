-- Decides a batch of verifications that cost something, in order of arrival within each key. Takes
-- the place of consume_limits, which instances of the version before still call: this one never waits
-- for a row. A row that another transaction holds is passed over, and its entries answer 3: they are
-- asked for again, apart from those of all other keys. What the locked rows hold, what their keys may
-- spend, and the time are read after the rows were locked. Time never runs backwards for a key.
--
-- Windows slide in 20 slices: a slice counts in full while any of it overlaps the window, so 21
-- slices are kept. Never more than the limit in any interval of the window's length.
--
-- Answers JSON with an array for each of: codes (0 passes, 1 rate limited, 2 no credits, 3 locked by
-- another transaction; null where the key has no row), times of the decision, credits left, and five
-- places an entry of units left and reset times.
-- A batch that was applied before answers what it answered then.
CREATE FUNCTION try_consume_limits(
  batch_instance uuid, batch_lane text, batch_sequence bigint,
  entry_keys text[], entry_costs bigint[], clock_offset_ms bigint
) RETURNS text LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
  codes integer[];
  times bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(entry_keys)]);
  credits_left bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(entry_keys)]);
  units_left bigint[] := array_fill(NULL::bigint, ARRAY[5 * cardinality(entry_keys)]);
  resets bigint[] := array_fill(NULL::bigint, ARRAY[5 * cardinality(entry_keys)]);
  answered text;
  subject record;
  consumption key_consumption;
  used bigint[];
  now_ms bigint;
  slice bigint;
  oldest bigint;
  refill_ms bigint;
  cost bigint;
  code integer;
  place integer;
  entry bigint;
  changed boolean;
BEGIN
  PERFORM set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') <> 'remote_apply';

  INSERT INTO batch_sequences (instance, lane, sequence)
  VALUES (batch_instance, batch_lane, batch_sequence)
  ON CONFLICT (instance, lane) DO UPDATE SET sequence = excluded.sequence, updated_at = now()
  WHERE batch_sequences.sequence < excluded.sequence;
  IF NOT FOUND THEN
    SELECT answer INTO answered FROM batch_sequences
     WHERE instance = batch_instance AND lane = batch_lane AND sequence = batch_sequence;
    RETURN answered;
  END IF;

  WITH free AS (
    SELECT key_id FROM key_consumption WHERE key_id = ANY (entry_keys) FOR UPDATE SKIP LOCKED
  )
  SELECT array_agg(CASE WHEN c.key_id IS NOT NULL AND f.key_id IS NULL THEN 3 END
                   ORDER BY u.entry) INTO codes
    FROM unnest(entry_keys) WITH ORDINALITY AS u (key, entry)
    LEFT JOIN key_consumption c ON c.key_id = u.key
    LEFT JOIN free f ON f.key_id = u.key;

  FOR subject IN
    SELECT c AS consumption, k.limit_names, k.limit_units, k.limit_windows,
           k.credits_limited, k.refill_interval, k.refill_amount, k.refill_day, e.entries
      FROM (SELECT u.key, array_agg(u.entry ORDER BY u.entry) AS entries
              FROM unnest(entry_keys) WITH ORDINALITY AS u (key, entry)
             WHERE codes[u.entry] IS NULL GROUP BY u.key) AS e
      JOIN key_consumption c ON c.key_id = e.key
      JOIN keys k ON k.id = e.key
  LOOP
    consumption := subject.consumption;
    changed := false;
    now_ms := greatest(consumption.last_ms,
      floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + clock_offset_ms);

    IF consumption.names <> subject.limit_names OR consumption.windows <> subject.limit_windows THEN
      consumption := align_windows(consumption, subject.limit_names, subject.limit_windows, now_ms);
    END IF;

    IF subject.refill_interval IS NOT NULL THEN
      refill_ms := last_refill_ms(subject.refill_interval, subject.refill_day, now_ms);
      IF refill_ms > consumption.refilled_ms THEN
        consumption.credits := subject.refill_amount;
        consumption.refilled_ms := refill_ms;
        changed := true;
      END IF;
    END IF;

    used := array_fill(0::bigint, ARRAY[cardinality(subject.limit_names)]);
    FOR i IN 1..cardinality(subject.limit_names) LOOP
      slice := now_ms / (subject.limit_windows[i] * 50);
      FOR age IN 0..least(slice - consumption.slices[i] - 1, 20) LOOP
        consumption.counts[21 * i - 20 + ((slice - age) % 21)::integer] := 0;
      END LOOP;
      consumption.slices[i] := greatest(consumption.slices[i], slice);
      FOR s IN 21 * i - 20 .. 21 * i LOOP
        used[i] := used[i] + consumption.counts[s];
      END LOOP;
    END LOOP;

    FOREACH entry IN ARRAY subject.entries LOOP
      cost := entry_costs[entry];
      code := 0;
      IF cost > 0 THEN
        FOR i IN 1..cardinality(subject.limit_names) LOOP
          IF used[i] + cost > subject.limit_units[i] THEN
            code := 1;
          END IF;
        END LOOP;
        IF code = 0 AND subject.credits_limited AND cost > coalesce(consumption.credits, 0) THEN
          code := 2;
        END IF;
        IF code = 0 THEN
          FOR i IN 1..cardinality(subject.limit_names) LOOP
            used[i] := used[i] + cost;
            place := 21 * i - 20 + (consumption.slices[i] % 21)::integer;
            consumption.counts[place] := consumption.counts[place] + cost;
          END LOOP;
          IF subject.credits_limited THEN
            consumption.credits := consumption.credits - cost;
          END IF;
          changed := true;
        END IF;
      END IF;
      codes[entry] := code;
      times[entry] := now_ms;
      IF subject.credits_limited THEN
        credits_left[entry] := coalesce(consumption.credits, 0);
      END IF;
      FOR i IN 1..cardinality(subject.limit_names) LOOP
        units_left[5 * (entry - 1) + i] := greatest(subject.limit_units[i] - used[i], 0);
      END LOOP;
    END LOOP;

    -- A unit is back when the slice it was spent in has left the window as a whole.
    FOR i IN 1..cardinality(subject.limit_names) LOOP
      CONTINUE WHEN used[i] = 0;
      oldest := consumption.slices[i] - 20;
      WHILE consumption.counts[21 * i - 20 + (oldest % 21)::integer] = 0 LOOP
        oldest := oldest + 1;
      END LOOP;
      FOREACH entry IN ARRAY subject.entries LOOP
        resets[5 * (entry - 1) + i] := (oldest + 21) * subject.limit_windows[i] * 50;
      END LOOP;
    END LOOP;

    IF changed THEN
      UPDATE key_consumption
         SET credits = consumption.credits, refilled_ms = consumption.refilled_ms, last_ms = now_ms,
             names = consumption.names, windows = consumption.windows,
             slices = consumption.slices, counts = consumption.counts
       WHERE key_id = consumption.key_id;
    END IF;
  END LOOP;

  answered := json_build_object(
    'incarnation', (SELECT id FROM incarnation),
    'codes', codes, 'times', times,
    'credits', credits_left, 'units', units_left, 'resets', resets)::text;
  UPDATE batch_sequences SET answer = answered
   WHERE instance = batch_instance AND lane = batch_lane;
  RETURN answered;
END
$$;
--> statement-breakpoint

-- Where audit logs end, for a transaction that appends to them: their heads are locked, by code points, until the
-- transaction ends. A log goes on behind its newest entry, or behind what retention dropped, whatever
-- its head says; that is answered too, so that a head which does not fit is noticed. Nothing above 2^52
-- was ever numbered by Keyward: such an entry is passed over, so that the log has somewhere to go on.
CREATE FUNCTION lock_audit_logs(logs text[])
RETURNS TABLE (log text, end_sequence bigint, end_hash text, head_sequence text, head_hash text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.audit_heads (workspace_id, sequence, hash)
  SELECT id, 0, repeat('0', 64) FROM unnest(logs) AS id ORDER BY id COLLATE "C"
  ON CONFLICT DO NOTHING;

  PERFORM FROM public.audit_heads WHERE workspace_id = ANY (logs)
   ORDER BY workspace_id COLLATE "C" FOR UPDATE;

  RETURN QUERY
  SELECT h.workspace_id,
         coalesce(e.sequence, c.sequence, 0),
         left(coalesce(e.hash, c.hash, repeat('0', 64)), 64),
         h.sequence::text, left(h.hash, 64)
    FROM public.audit_heads h
    LEFT JOIN public.audit_checkpoints c ON c.workspace_id = h.workspace_id
    LEFT JOIN LATERAL (
      SELECT newest.sequence, newest.hash FROM public.audit_events newest
       WHERE newest.workspace_id = h.workspace_id AND newest.sequence < 4503599627370496
       ORDER BY newest.sequence DESC LIMIT 1) e ON true
   WHERE h.workspace_id = ANY (logs);
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION lock_audit_logs(text[]) FROM PUBLIC;
--> statement-breakpoint

-- Entries are added at the end of their log and nowhere else, and the head moves with them: someone
-- with the rights of the service can add a forged entry, which a check of the chain reports, and
-- which the service continues behind.
CREATE FUNCTION append_audit_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM (
      SELECT workspace_id, min(sequence) AS first, max(sequence) AS last, count(*) AS entries,
             bool_and(hash ~ '^[0-9a-f]{64}$' AND num_nonnulls(id, action, actor_id, time) = 4) AS whole
        FROM added GROUP BY workspace_id) AS batch
     WHERE NOT batch.whole
        OR batch.last - batch.first + 1 <> batch.entries
        OR batch.first <> 1 + coalesce(
             (SELECT max(e.sequence) FROM public.audit_events e
               WHERE e.workspace_id = batch.workspace_id AND e.sequence < 4503599627370496
                 AND e.sequence NOT BETWEEN batch.first AND batch.last),
             (SELECT c.sequence FROM public.audit_checkpoints c
               WHERE c.workspace_id = batch.workspace_id),
             0)
  ) THEN
    RAISE EXCEPTION 'audit_events is append-only: entries follow the last one of their log'
      USING ERRCODE = 'insufficient_privilege';
  END IF;

  INSERT INTO public.audit_heads (workspace_id, sequence, hash)
  SELECT DISTINCT ON (workspace_id COLLATE "C") workspace_id, sequence, hash
    FROM added ORDER BY workspace_id COLLATE "C", sequence DESC
  ON CONFLICT (workspace_id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER audit_append AFTER INSERT ON audit_events REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION append_audit_events();
--> statement-breakpoint
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_append;
--> statement-breakpoint

-- Heads follow their entries. The version before still writes them itself, in the same transaction and
-- with the values that they have by then, which changes nothing; anything else is for the owner.
CREATE FUNCTION refuse_unless_owner() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
    RAISE EXCEPTION '%: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END
$$;
--> statement-breakpoint
CREATE TRIGGER audit_head_kept AFTER UPDATE ON audit_heads FOR EACH ROW
WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION refuse_unless_owner('a head follows its entries');
--> statement-breakpoint
CREATE TRIGGER audit_head_new AFTER INSERT ON audit_heads FOR EACH ROW
WHEN (NEW.sequence <> 0 OR NEW.hash <> repeat('0', 64)) EXECUTE FUNCTION refuse_unless_owner('a head follows its entries');
--> statement-breakpoint
ALTER TABLE audit_heads ENABLE ALWAYS TRIGGER audit_head_kept;
--> statement-breakpoint
ALTER TABLE audit_heads ENABLE ALWAYS TRIGGER audit_head_new;
--> statement-breakpoint

-- What the service never does is refused to the role that it runs as, so that a thief of that role
-- cannot either: to undo a revocation or a deletion, to bring an ended string back, to extend one
-- that retires, or to change what a string is checked against. Owners may, as they could anyway.
CREATE TRIGGER revocation_is_final BEFORE UPDATE ON keys FOR EACH ROW
WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at
      OR OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS DISTINCT FROM OLD.deleted_at)
EXECUTE FUNCTION refuse_unless_owner('a revocation is final');
--> statement-breakpoint
CREATE TRIGGER revocation_is_final BEFORE UPDATE ON management_keys FOR EACH ROW
WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
EXECUTE FUNCTION refuse_unless_owner('a revocation is final');
--> statement-breakpoint
CREATE TRIGGER secret_end_is_final BEFORE UPDATE ON secrets FOR EACH ROW
WHEN (OLD.status <> 'current' AND NEW.valid_until IS DISTINCT FROM OLD.valid_until
      OR NEW.status <> OLD.status AND OLD.status <> 'current' AND NEW.status <> 'retired'
      OR NEW.status <> OLD.status AND OLD.status = 'retired')
EXECUTE FUNCTION refuse_unless_owner('a string that ends does not come back');
--> statement-breakpoint
-- An imported digest is replaced with argon2id at its first use; nothing else replaces a hash.
CREATE TRIGGER secret_hash_is_kept BEFORE UPDATE ON secrets FOR EACH ROW
WHEN (NEW.hash <> OLD.hash AND (OLD.hash LIKE '$argon2%' OR NEW.hash NOT LIKE '$argon2id$%'))
EXECUTE FUNCTION refuse_unless_owner('the hash of a secret is kept');
--> statement-breakpoint
DO $$
DECLARE
  guarded text[];
BEGIN
  FOREACH guarded SLICE 1 IN ARRAY ARRAY[['keys', 'revocation_is_final'],
    ['management_keys', 'revocation_is_final'], ['secrets', 'secret_end_is_final'],
    ['secrets', 'secret_hash_is_kept']]
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', guarded[1], guarded[2]);
  END LOOP;
END
$$;
--> statement-breakpoint

-- Shorter than the client's time-out: the server ends the wait for a lock, and the connection is kept.
ALTER FUNCTION write_usage(
  uuid, text, bigint, text[], text[], text[], bigint[], bigint[], float8[], text[], bigint[], bigint[]
) SET lock_timeout = '1s';
