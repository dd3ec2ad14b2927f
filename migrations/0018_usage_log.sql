-- Counters as flushes write them, until they are added to the tables that are read. A row is a set of
-- parallel lists, separated by commas, which occur in none of the values.
CREATE TABLE "usage_log" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"shard" smallint NOT NULL,
	"counters" integer NOT NULL,
	"written_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"latest_ms" bigint NOT NULL,
	"secrets" text NOT NULL,
	"codes" text NOT NULL,
	"hours" text NOT NULL,
	"counts" text NOT NULL,
	"units" text NOT NULL,
	"ages_ms" text NOT NULL,
	"workspaces" text NOT NULL,
	"workspace_hours" text NOT NULL,
	"workspace_counts" text NOT NULL
);
--> statement-breakpoint
-- The counts of before, and those of the version before, have no units.
ALTER TABLE "usage_hourly" ADD COLUMN "units" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
-- Random values do not compress: Postgres does not try. Rows come and go all the time.
ALTER TABLE usage_log ALTER COLUMN secrets SET STORAGE EXTERNAL, ALTER COLUMN ages_ms SET STORAGE EXTERNAL,
  SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
       toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000);
--> statement-breakpoint

-- Takes the place of write_usage, which instances of the version before still call: that function and
-- this one can run side by side, since both only add. It may be dropped by the next version.
--
-- A batch claims its number first; one that was written before claims nothing. A constraint on the
-- rows themselves could not tell: a fold may have deleted the row before the repetition arrives. The
-- claim is a row of this stream alone, so that no other flush waits for it.
CREATE FUNCTION append_usage_log(
  batch_instance uuid, batch_lane text, batch_sequence bigint,
  of_shard integer, counters integer, latest_ms bigint,
  secrets text, codes text, hours text, counts text, units text, ages_ms text,
  workspaces text, workspace_hours text, workspace_counts text
) RETURNS void LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
BEGIN
  INSERT INTO batch_sequences (instance, lane, sequence)
  VALUES (batch_instance, batch_lane, batch_sequence)
  ON CONFLICT (instance, lane) DO UPDATE SET sequence = excluded.sequence, updated_at = now()
  WHERE batch_sequences.sequence < excluded.sequence;
  IF FOUND THEN
    INSERT INTO usage_log (shard, counters, latest_ms, secrets, codes, hours, counts, units, ages_ms,
                           workspaces, workspace_hours, workspace_counts)
    VALUES ($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);
  END IF;
END
$$;
--> statement-breakpoint

-- Takes rows of one shard out of the log, the oldest first, until they have that many counters, and
-- answers their counters, added up.
CREATE FUNCTION take_usage_log(of_shard integer, max_counters integer)
RETURNS TABLE (secret text, code text, hour integer, count bigint, units bigint, last_ms bigint,
               written_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH gone AS (
    DELETE FROM usage_log WHERE id = ANY (ARRAY(
      SELECT l.id FROM (
        SELECT id, counters, sum(counters) OVER (ORDER BY written_at, id) AS sum
          FROM usage_log WHERE shard = of_shard) AS l
       WHERE l.sum - l.counters < max_counters))
    RETURNING *
  ), unmatched AS (
    INSERT INTO usage_unmatched (workspace_id, hour, count)
    SELECT w.id, to_timestamp(w.hour * 3600::float8), sum(w.count)
      FROM gone, unnest(string_to_array(workspaces, ','),
                        ('{' || workspace_hours || '}')::integer[],
                        ('{' || workspace_counts || '}')::bigint[]) AS w (id, hour, count)
     GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (workspace_id, hour)
    DO UPDATE SET count = usage_unmatched.count + excluded.count
  )
  -- Not in FROM, where each list would be stored once more.
  SELECT c.secret, c.code, c.hour, sum(c.count)::bigint, sum(c.units)::bigint,
         max(c.latest_ms - c.age_ms), min(c.written_at)
    FROM (
      SELECT unnest(string_to_array(secrets, ',')) AS secret,
             unnest(string_to_array(codes, ',')) AS code,
             unnest(('{' || hours || '}')::integer[]) AS hour,
             unnest(('{' || counts || '}')::bigint[]) AS count,
             unnest(('{' || units || '}')::bigint[]) AS units,
             unnest(('{' || ages_ms || '}')::bigint[]) AS age_ms, latest_ms, written_at
        FROM gone) AS c
   GROUP BY 1, 2, 3;
END
$$;
--> statement-breakpoint

-- Adds rows of one shard to the tables that are read, and deletes them from the log in the same
-- transaction: each is added once, wherever it is cut. One transaction at a time, of all instances;
-- answers null if another is at work, else how many counters were left when equal ones were added up.
--
-- A row that another transaction holds ends it after 100 ms, before anything was added. With
-- `passing_locked`, counters of such keys go back into the log, and all others are added.
--
-- `secrets` says whose a secret is: that never changes. A secret that does not exist was lost by the
-- database together with its key, and so are its counters. The rows are found by their primary keys,
-- whatever the planner takes the tables for.
CREATE FUNCTION fold_usage_log(of_shard integer, max_counters integer, passing_locked boolean)
RETURNS integer LANGUAGE plpgsql
SET lock_timeout = '100ms' SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  key_ids text[];
  refs text[];
  codes text[];
  hours timestamptz[];
  counts bigint[];
  costs bigint[];
  lasts timestamptz[];
  held text[];
  done text[];
  done_places bigint[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396120) THEN
    RETURN NULL;
  END IF;
  -- A fold that a crash undoes is undone as a whole: it need not wait for the disk.
  PERFORM set_config('synchronous_commit', 'off', true);

  SELECT array_agg(c.key_id), array_agg(c.secret), array_agg(c.code), array_agg(c.hour),
         array_agg(c.count), array_agg(c.units), array_agg(c.last)
    INTO key_ids, refs, codes, hours, counts, costs, lasts
    FROM (
      SELECT s.key_id, t.secret, t.code, to_timestamp(t.hour * 3600::float8) AS hour, t.count, t.units,
             to_timestamp(t.last_ms / 1000::float8) AS last
        FROM take_usage_log(of_shard, max_counters) AS t JOIN secrets s ON s.ref = t.secret
       ORDER BY s.key_id COLLATE "C", t.hour, t.secret COLLATE "C", t.code COLLATE "C") AS c;
  IF key_ids IS NULL THEN
    RETURN 0;
  END IF;

  IF passing_locked THEN
    WITH free_secrets AS (
      SELECT secret_ref FROM secret_usage WHERE secret_ref = ANY (refs) FOR UPDATE SKIP LOCKED
    ), free_keys AS (
      SELECT key_id FROM key_usage WHERE key_id = ANY (key_ids) FOR UPDATE SKIP LOCKED
    ), free_hours AS (
      SELECT key_id, hour, secret_ref, code FROM usage_hourly
       WHERE key_id = ANY (key_ids) AND hour = ANY (hours) FOR UPDATE SKIP LOCKED
    )
    SELECT array_agg(h.key_id) INTO held FROM (
      SELECT s.key_id FROM secrets s JOIN (
        SELECT secret_ref FROM secret_usage WHERE secret_ref = ANY (refs)
        EXCEPT SELECT secret_ref FROM free_secrets) AS u ON u.secret_ref = s.ref
      UNION
      (SELECT key_id FROM key_usage WHERE key_id = ANY (key_ids) EXCEPT SELECT key_id FROM free_keys)
      UNION
      (SELECT key_id FROM (
         SELECT key_id, hour, secret_ref, code FROM usage_hourly
          WHERE key_id = ANY (key_ids) AND hour = ANY (hours)
         EXCEPT SELECT * FROM free_hours) AS o)) AS h;
    held := coalesce(held, '{}');

    INSERT INTO usage_log (shard, counters, latest_ms, secrets, codes, hours, counts, units, ages_ms,
                           workspaces, workspace_hours, workspace_counts)
    SELECT of_shard, count(*), extract(epoch FROM max(l.latest)) * 1000,
           string_agg(c.secret, ','), string_agg(c.code, ','),
           string_agg((extract(epoch FROM c.hour) / 3600)::integer::text, ','),
           string_agg(c.count::text, ','), string_agg(c.units::text, ','),
           string_agg((extract(epoch FROM l.latest - c.last) * 1000)::bigint::text, ','), '', '', ''
      FROM unnest(key_ids, refs, codes, hours, counts, costs, lasts)
             AS c (key_id, secret, code, hour, count, units, last),
           (SELECT max(t) AS latest FROM unnest(lasts) AS t) AS l
     WHERE c.key_id = ANY (held) HAVING count(*) > 0;
    SELECT array_agg(c.key_id), array_agg(c.secret), array_agg(c.code), array_agg(c.hour),
           array_agg(c.count), array_agg(c.units), array_agg(c.last)
      INTO key_ids, refs, codes, hours, counts, costs, lasts
      FROM unnest(key_ids, refs, codes, hours, counts, costs, lasts)
             AS c (key_id, secret, code, hour, count, units, last)
     WHERE c.key_id <> ALL (held);
    IF key_ids IS NULL THEN
      RETURN 0;
    END IF;
  END IF;

  -- Nearly all rows exist: an update writes half of what an upsert does. The others are inserted.
  WITH added AS (
    UPDATE secret_usage u SET total = u.total + c.count,
           last_used_at = greatest(u.last_used_at, c.used),
           last_denied_at = greatest(u.last_denied_at, c.denied)
      FROM (
        SELECT secret, sum(count) AS count, max(last) FILTER (WHERE code = 'VALID') AS used,
               max(last) FILTER (WHERE code <> 'VALID') AS denied
          FROM unnest(refs, codes, counts, lasts) AS c (secret, code, count, last)
         GROUP BY 1) AS c
     WHERE u.secret_ref = c.secret
    RETURNING u.secret_ref
  )
  SELECT array_agg(secret_ref) INTO done FROM added;
  IF coalesce(cardinality(done), 0) < (SELECT count(DISTINCT c) FROM unnest(refs) AS c) THEN
    INSERT INTO secret_usage AS u (secret_ref, total, last_used_at, last_denied_at)
    SELECT secret, sum(count), max(last) FILTER (WHERE code = 'VALID'),
           max(last) FILTER (WHERE code <> 'VALID')
      FROM unnest(refs, codes, counts, lasts) AS c (secret, code, count, last)
     WHERE secret <> ALL (coalesce(done, '{}')) GROUP BY 1 ORDER BY 1
    ON CONFLICT (secret_ref) DO UPDATE SET
      total = u.total + excluded.total,
      last_used_at = greatest(u.last_used_at, excluded.last_used_at),
      last_denied_at = greatest(u.last_denied_at, excluded.last_denied_at);
  END IF;

  WITH added AS (
    UPDATE key_usage u SET total = u.total + c.count,
           last_used_at = greatest(u.last_used_at, c.used),
           last_denied_at = greatest(u.last_denied_at, c.denied)
      FROM (
        SELECT key_id, sum(count) AS count, max(last) FILTER (WHERE code = 'VALID') AS used,
               max(last) FILTER (WHERE code <> 'VALID') AS denied
          FROM unnest(key_ids, codes, counts, lasts) AS c (key_id, code, count, last)
         GROUP BY 1) AS c
     WHERE u.key_id = c.key_id
    RETURNING u.key_id
  )
  SELECT array_agg(key_id) INTO done FROM added;
  IF coalesce(cardinality(done), 0) < (SELECT count(DISTINCT c) FROM unnest(key_ids) AS c) THEN
    INSERT INTO key_usage AS u (key_id, total, last_used_at, last_denied_at)
    SELECT key_id, sum(count), max(last) FILTER (WHERE code = 'VALID'),
           max(last) FILTER (WHERE code <> 'VALID')
      FROM unnest(key_ids, codes, counts, lasts) AS c (key_id, code, count, last)
     WHERE key_id <> ALL (coalesce(done, '{}')) GROUP BY 1 ORDER BY 1
    ON CONFLICT (key_id) DO UPDATE SET
      total = u.total + excluded.total,
      last_used_at = greatest(u.last_used_at, excluded.last_used_at),
      last_denied_at = greatest(u.last_denied_at, excluded.last_denied_at);
  END IF;

  WITH added AS (
    UPDATE usage_hourly u SET count = u.count + c.count, units = u.units + c.units
      FROM unnest(key_ids, hours, refs, codes, counts, costs) WITH ORDINALITY
             AS c (key_id, hour, secret, code, count, units, place)
     WHERE u.key_id = c.key_id AND u.hour = c.hour AND u.secret_ref = c.secret AND u.code = c.code
    RETURNING c.place
  )
  SELECT array_agg(place) INTO done_places FROM added;
  IF coalesce(cardinality(done_places), 0) < cardinality(key_ids) THEN
    INSERT INTO usage_hourly AS u (key_id, hour, secret_ref, code, count, units)
    SELECT key_id, hour, secret, code, count, units
      FROM unnest(key_ids, hours, refs, codes, counts, costs) WITH ORDINALITY
             AS c (key_id, hour, secret, code, count, units, place)
     WHERE place <> ALL (coalesce(done_places, '{}'))
    ON CONFLICT (key_id, hour, secret_ref, code)
    DO UPDATE SET count = u.count + excluded.count, units = u.units + excluded.units;
  END IF;

  RETURN cardinality(key_ids);
END
$$;
--> statement-breakpoint

-- Brings counters of small flushes, which have keys of any shard, into rows of one shard each, so that
-- a fold finds those of a key together. Adds up what is equal on the way.
CREATE FUNCTION shard_usage_log(max_counters integer, shards integer) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '100ms' SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  taken integer;
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396120) THEN
    RETURN NULL;
  END IF;
  PERFORM set_config('synchronous_commit', 'off', true);
  WITH merged AS MATERIALIZED (
    SELECT t.*, max(t.last_ms) OVER () AS latest_ms,
           (ascii(right(s.key_id, 1)) + 7 * ascii(right(s.key_id, 2))) % shards AS shard
      FROM take_usage_log(-1, max_counters) AS t JOIN secrets s ON s.ref = t.secret
  ), written AS (
    INSERT INTO usage_log (shard, counters, written_at, latest_ms, secrets, codes, hours, counts, units,
                           ages_ms, workspaces, workspace_hours, workspace_counts)
    SELECT shard, count(*), min(written_at), max(latest_ms),
           string_agg(secret, ','), string_agg(code, ','), string_agg(hour::text, ','),
           string_agg(count::text, ','), string_agg(units::text, ','),
           string_agg((latest_ms - last_ms)::text, ','), '', '', ''
      FROM merged GROUP BY shard
  )
  SELECT count(*) INTO taken FROM merged;
  RETURN taken;
END
$$;
