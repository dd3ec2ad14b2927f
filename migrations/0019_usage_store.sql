-- Where usage is kept. Each count is in exactly one of `usage_recent`, `usage_days` and `usage_months`;
-- those of the last weeks are in `usage_hours` too, by the hour. The fold adds to `usage_recent`, whose
-- rows are moved when their day is over. What comes late is moved by the next run.
CREATE TABLE "usage_recent" (
	"workspace_id" text NOT NULL,
	"key_id" text NOT NULL,
	"hour" timestamp (3) with time zone NOT NULL,
	"secret_ref" text NOT NULL,
	"code" text NOT NULL,
	"count" bigint NOT NULL,
	"units" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_recent_workspace_id_key_id_hour_secret_ref_code_pk" PRIMARY KEY("workspace_id","key_id","hour","secret_ref","code")
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
--> statement-breakpoint
-- Rows that were moved do not change any more: they are not unique, and their indexes answer alone.
CREATE TABLE "usage_hours" (
	"workspace_id" text NOT NULL,
	"key_id" text NOT NULL,
	"hour" timestamp (3) with time zone NOT NULL,
	"secret_ref" text NOT NULL,
	"code" text NOT NULL,
	"count" bigint NOT NULL,
	"units" bigint NOT NULL
) PARTITION BY RANGE ("hour");
--> statement-breakpoint
CREATE INDEX "usage_hours_by_key" ON "usage_hours" ("workspace_id", "key_id", "hour") INCLUDE ("code", "count", "units");
--> statement-breakpoint
CREATE TABLE "usage_days" (
	"workspace_id" text NOT NULL,
	"key_id" text NOT NULL,
	"day" date NOT NULL,
	"secret_ref" text NOT NULL,
	"code" text NOT NULL,
	"count" bigint NOT NULL,
	"units" bigint NOT NULL
) PARTITION BY RANGE ("day");
--> statement-breakpoint
CREATE INDEX "usage_days_by_key" ON "usage_days" ("workspace_id", "key_id", "day") INCLUDE ("code", "count", "units");
--> statement-breakpoint
CREATE TABLE "usage_months" (
	"workspace_id" text NOT NULL,
	"key_id" text NOT NULL,
	"month" date NOT NULL,
	"secret_ref" text NOT NULL,
	"code" text NOT NULL,
	"count" bigint NOT NULL,
	"units" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "usage_months_by_key" ON "usage_months" ("workspace_id", "key_id", "month") INCLUDE ("code", "count", "units");
--> statement-breakpoint
ALTER TABLE usage_months SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000);
--> statement-breakpoint
CREATE INDEX "keys_of_owner" ON "keys" ("workspace_id", "owner_id", "id");
--> statement-breakpoint
CREATE INDEX "keys_deleted" ON "keys" ("deleted_at") WHERE "deleted_at" IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "secrets_ended" ON "secrets" ("created_at") WHERE "status" <> 'current' AND position('@' in "ref") = 0;
--> statement-breakpoint

-- The history of before. Folds wait in the log meanwhile; reads go on until the end. A secret that does
-- not exist was lost by the database together with its key.
LOCK TABLE usage_hourly IN SHARE MODE;
--> statement-breakpoint
INSERT INTO usage_recent (workspace_id, key_id, hour, secret_ref, code, count, units)
SELECT CASE WHEN s.key_id LIKE 'mk\_%' THEN '' ELSE coalesce(s.workspace_id, '') END,
       h.key_id, h.hour, h.secret_ref, h.code, h.count, h.units
  FROM usage_hourly h JOIN secrets s ON s.ref = h.secret_ref;
--> statement-breakpoint

-- Gives those who may read one table the right to read another.
CREATE FUNCTION share_read_grants(source regclass, target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  reader oid;
BEGIN
  FOR reader IN
    SELECT a.grantee FROM pg_class c, aclexplode(c.relacl) AS a
     WHERE c.oid = source AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT SELECT ON %s TO %s', target,
                   CASE reader WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(reader)) END);
  END LOOP;
END
$$;
--> statement-breakpoint
SELECT share_read_grants('usage_hourly', name::regclass)
  FROM unnest(ARRAY['usage_recent', 'usage_hours', 'usage_days', 'usage_months']) AS name;
--> statement-breakpoint
DROP TABLE usage_hourly;
--> statement-breakpoint
-- What instances of the version before read. It may be dropped by the next version.
CREATE VIEW usage_hourly AS
SELECT key_id, hour, secret_ref, code, count, units FROM usage_recent
UNION ALL SELECT key_id, hour, secret_ref, code, count, units FROM usage_hours;
--> statement-breakpoint
SELECT share_read_grants('usage_recent', 'usage_hourly');
--> statement-breakpoint
DROP FUNCTION write_usage(uuid, text, bigint, text[], text[], text[], bigint[], bigint[], float8[], text[], bigint[], bigint[]);
--> statement-breakpoint

-- Each key has a row from the start, so that an index finds those that were never used, or not lately.
-- `last_used_day` changes once a day: all other updates write no index.
LOCK TABLE keys IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
ALTER TABLE "key_usage" ADD COLUMN "workspace_id" text DEFAULT '' NOT NULL, ADD COLUMN "last_used_day" date,
  ADD COLUMN "last_used_from" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "secret_usage" ADD COLUMN "last_used_from" text COLLATE "C";
--> statement-breakpoint
INSERT INTO key_usage AS u (key_id, workspace_id, total)
SELECT id, workspace_id, 0 FROM keys ORDER BY id
ON CONFLICT (key_id) DO UPDATE SET workspace_id = excluded.workspace_id,
  last_used_day = (u.last_used_at AT TIME ZONE 'UTC')::date;
--> statement-breakpoint
CREATE INDEX "key_usage_by_day" ON "key_usage" ("workspace_id", "last_used_day", "key_id");
--> statement-breakpoint
CREATE FUNCTION start_key_usage() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO key_usage (key_id, workspace_id, total)
  SELECT id, workspace_id, 0 FROM added ORDER BY id ON CONFLICT (key_id) DO NOTHING;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER key_usage_starts AFTER INSERT ON keys REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION start_key_usage();
--> statement-breakpoint

-- Beside its counts a flush says whence a key was last used: network and user agent, separated by a
-- space; empty if a caller did not say.
ALTER TABLE "usage_log" ADD COLUMN "origins" text DEFAULT '' NOT NULL;
--> statement-breakpoint
-- One list more than before; without it, what instances of the version before write.
CREATE FUNCTION append_usage_log(
  batch_instance uuid, batch_lane text, batch_sequence bigint,
  of_shard integer, counters integer, latest_ms bigint,
  secrets text, codes text, hours text, counts text, units text, ages_ms text,
  workspaces text, workspace_hours text, workspace_counts text, origins text
) RETURNS void LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
BEGIN
  INSERT INTO batch_sequences (instance, lane, sequence)
  VALUES (batch_instance, batch_lane, batch_sequence)
  ON CONFLICT (instance, lane) DO UPDATE SET sequence = excluded.sequence, updated_at = now()
  WHERE batch_sequences.sequence < excluded.sequence;
  IF FOUND THEN
    INSERT INTO usage_log (shard, counters, latest_ms, secrets, codes, hours, counts, units, ages_ms,
                           workspaces, workspace_hours, workspace_counts, origins)
    VALUES ($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);
  END IF;
END
$$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION append_usage_log(
  batch_instance uuid, batch_lane text, batch_sequence bigint,
  of_shard integer, counters integer, latest_ms bigint,
  secrets text, codes text, hours text, counts text, units text, ages_ms text,
  workspaces text, workspace_hours text, workspace_counts text
) RETURNS void LANGUAGE sql AS $$
  SELECT append_usage_log($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, '')
$$;
--> statement-breakpoint

DROP FUNCTION take_usage_log(integer, integer);
--> statement-breakpoint

-- Takes rows of one shard out of the log, the oldest first, until they have that many counters, and
-- answers their counters, added up. `used_from` begins with its time in milliseconds: of such texts the
-- greatest is the latest. It is that of the last use, or null: one that goes back into the log has the
-- time of the last use there, behind which nothing that was erased may come back.
CREATE FUNCTION take_usage_log(of_shard integer, max_counters integer)
RETURNS TABLE (secret text, code text, hour integer, count bigint, units bigint, last_ms bigint,
               written_at timestamptz, used_from text)
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
         max(c.latest_ms - c.age_ms), min(c.written_at),
         nullif(max((c.latest_ms - c.age_ms)::text || ' ' || coalesce(c.origin, '') COLLATE "C"),
                max(c.latest_ms - c.age_ms)::text || ' ')
    FROM (
      SELECT unnest(string_to_array(secrets, ',')) AS secret,
             unnest(string_to_array(codes, ',')) AS code,
             unnest(('{' || hours || '}')::integer[]) AS hour,
             unnest(('{' || counts || '}')::bigint[]) AS count,
             unnest(('{' || units || '}')::bigint[]) AS units,
             unnest(('{' || ages_ms || '}')::bigint[]) AS age_ms,
             unnest(string_to_array(origins, ',')) AS origin, latest_ms, written_at
        FROM gone) AS c
   GROUP BY 1, 2, 3;
END
$$;
--> statement-breakpoint

-- As before, into `usage_recent`, with the rights of the owner of the tables: the service itself may only
-- read what is counted.
CREATE OR REPLACE FUNCTION fold_usage_log(
  of_shard integer, max_counters integer, passing_locked boolean
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET lock_timeout = '100ms' SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  workspaces text[];
  key_ids text[];
  refs text[];
  codes text[];
  hours timestamptz[];
  counts bigint[];
  costs bigint[];
  lasts timestamptz[];
  origins text[];
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
         array_agg(c.count), array_agg(c.units), array_agg(c.last), array_agg(c.used_from),
         array_agg(c.workspace_id)
    INTO key_ids, refs, codes, hours, counts, costs, lasts, origins, workspaces
    FROM (
      SELECT CASE WHEN s.key_id LIKE 'mk\_%' THEN '' ELSE coalesce(s.workspace_id, '') END
               AS workspace_id,
             s.key_id, t.secret, t.code, to_timestamp(t.hour * 3600::float8) AS hour, t.count, t.units,
             to_timestamp(t.last_ms / 1000::float8) AS last, t.used_from
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
      SELECT key_id, hour, secret_ref, code FROM usage_recent
       WHERE (workspace_id, key_id, hour) IN (SELECT * FROM unnest(workspaces, key_ids, hours))
         FOR UPDATE OF usage_recent SKIP LOCKED
    )
    SELECT array_agg(h.key_id) INTO held FROM (
      SELECT s.key_id FROM secrets s JOIN (
        SELECT secret_ref FROM secret_usage WHERE secret_ref = ANY (refs)
        EXCEPT SELECT secret_ref FROM free_secrets) AS u ON u.secret_ref = s.ref
      UNION
      (SELECT key_id FROM key_usage WHERE key_id = ANY (key_ids) EXCEPT SELECT key_id FROM free_keys)
      UNION
      (SELECT key_id FROM (
         SELECT key_id, hour, secret_ref, code FROM usage_recent
          WHERE (workspace_id, key_id, hour) IN (SELECT * FROM unnest(workspaces, key_ids, hours))
         EXCEPT SELECT * FROM free_hours) AS o)) AS h;
    held := coalesce(held, '{}');

    INSERT INTO usage_log (shard, counters, latest_ms, secrets, codes, hours, counts, units, ages_ms,
                           workspaces, workspace_hours, workspace_counts, origins)
    SELECT of_shard, count(*), extract(epoch FROM max(l.latest)) * 1000,
           string_agg(c.secret, ','), string_agg(c.code, ','),
           string_agg((extract(epoch FROM c.hour) / 3600)::integer::text, ','),
           string_agg(c.count::text, ','), string_agg(c.units::text, ','),
           string_agg((extract(epoch FROM l.latest - c.last) * 1000)::bigint::text, ','), '', '', '',
           string_agg(coalesce(substr(c.used_from, 15), ''), ',')
      FROM unnest(key_ids, refs, codes, hours, counts, costs, lasts, origins)
             AS c (key_id, secret, code, hour, count, units, last, used_from),
           (SELECT max(t) AS latest FROM unnest(lasts) AS t) AS l
     WHERE c.key_id = ANY (held) HAVING count(*) > 0;
    SELECT array_agg(c.key_id), array_agg(c.secret), array_agg(c.code), array_agg(c.hour),
           array_agg(c.count), array_agg(c.units), array_agg(c.last), array_agg(c.used_from),
           array_agg(c.workspace_id)
      INTO key_ids, refs, codes, hours, counts, costs, lasts, origins, workspaces
      FROM unnest(key_ids, refs, codes, hours, counts, costs, lasts, origins, workspaces)
             AS c (key_id, secret, code, hour, count, units, last, used_from, workspace_id)
     WHERE c.key_id <> ALL (held);
    IF key_ids IS NULL THEN
      RETURN 0;
    END IF;
  END IF;

  -- Nearly all rows exist: an update writes half of what an upsert does. The others are inserted.
  WITH added AS (
    UPDATE secret_usage u SET total = u.total + c.count,
           last_used_at = greatest(u.last_used_at, c.used),
           last_denied_at = greatest(u.last_denied_at, c.denied),
           last_used_from = greatest(u.last_used_from, c.used_from)
      FROM (
        SELECT secret, sum(count) AS count, max(last) FILTER (WHERE code = 'VALID') AS used,
               max(last) FILTER (WHERE code <> 'VALID') AS denied, max(used_from) AS used_from
          FROM unnest(refs, codes, counts, lasts, origins) AS c (secret, code, count, last, used_from)
         GROUP BY 1) AS c
     WHERE u.secret_ref = c.secret
    RETURNING u.secret_ref
  )
  SELECT array_agg(secret_ref) INTO done FROM added;
  IF coalesce(cardinality(done), 0) < (SELECT count(DISTINCT c) FROM unnest(refs) AS c) THEN
    INSERT INTO secret_usage AS u (secret_ref, total, last_used_at, last_denied_at, last_used_from)
    SELECT secret, sum(count), max(last) FILTER (WHERE code = 'VALID'),
           max(last) FILTER (WHERE code <> 'VALID'), max(used_from)
      FROM unnest(refs, codes, counts, lasts, origins) AS c (secret, code, count, last, used_from)
     WHERE secret <> ALL (coalesce(done, '{}')) GROUP BY 1 ORDER BY 1
    ON CONFLICT (secret_ref) DO UPDATE SET
      total = u.total + excluded.total,
      last_used_at = greatest(u.last_used_at, excluded.last_used_at),
      last_denied_at = greatest(u.last_denied_at, excluded.last_denied_at),
      last_used_from = greatest(u.last_used_from, excluded.last_used_from);
  END IF;

  WITH added AS (
    UPDATE key_usage u SET total = u.total + c.count,
           last_used_at = greatest(u.last_used_at, c.used),
           last_denied_at = greatest(u.last_denied_at, c.denied),
           last_used_day = greatest(u.last_used_day, (c.used AT TIME ZONE 'UTC')::date),
           last_used_from = greatest(u.last_used_from, c.used_from)
      FROM (
        SELECT key_id, sum(count) AS count, max(last) FILTER (WHERE code = 'VALID') AS used,
               max(last) FILTER (WHERE code <> 'VALID') AS denied, max(used_from) AS used_from
          FROM unnest(key_ids, codes, counts, lasts, origins)
                 AS c (key_id, code, count, last, used_from)
         GROUP BY 1) AS c
     WHERE u.key_id = c.key_id
    RETURNING u.key_id
  )
  SELECT array_agg(key_id) INTO done FROM added;
  IF coalesce(cardinality(done), 0) < (SELECT count(DISTINCT c) FROM unnest(key_ids) AS c) THEN
    INSERT INTO key_usage AS u (workspace_id, key_id, total, last_used_at, last_denied_at,
                                last_used_day, last_used_from)
    SELECT min(workspace_id), key_id, sum(count), max(last) FILTER (WHERE code = 'VALID'),
           max(last) FILTER (WHERE code <> 'VALID'),
           (max(last) FILTER (WHERE code = 'VALID') AT TIME ZONE 'UTC')::date, max(used_from)
      FROM unnest(workspaces, key_ids, codes, counts, lasts, origins)
             AS c (workspace_id, key_id, code, count, last, used_from)
     WHERE key_id <> ALL (coalesce(done, '{}')) GROUP BY key_id ORDER BY key_id
    ON CONFLICT (key_id) DO UPDATE SET
      total = u.total + excluded.total,
      last_used_at = greatest(u.last_used_at, excluded.last_used_at),
      last_denied_at = greatest(u.last_denied_at, excluded.last_denied_at),
      last_used_day = greatest(u.last_used_day, excluded.last_used_day),
      last_used_from = greatest(u.last_used_from, excluded.last_used_from);
  END IF;

  WITH added AS (
    UPDATE usage_recent u SET count = u.count + c.count, units = u.units + c.units
      FROM unnest(workspaces, key_ids, hours, refs, codes, counts, costs) WITH ORDINALITY
             AS c (workspace_id, key_id, hour, secret, code, count, units, place)
     WHERE u.workspace_id = c.workspace_id AND u.key_id = c.key_id AND u.hour = c.hour
       AND u.secret_ref = c.secret AND u.code = c.code
    RETURNING c.place
  )
  SELECT array_agg(place) INTO done_places FROM added;
  IF coalesce(cardinality(done_places), 0) < cardinality(key_ids) THEN
    INSERT INTO usage_recent AS u (workspace_id, key_id, hour, secret_ref, code, count, units)
    SELECT workspace_id, key_id, hour, secret, code, count, units
      FROM unnest(workspaces, key_ids, hours, refs, codes, counts, costs) WITH ORDINALITY
             AS c (workspace_id, key_id, hour, secret, code, count, units, place)
     WHERE place <> ALL (coalesce(done_places, '{}'))
    ON CONFLICT (workspace_id, key_id, hour, secret_ref, code)
    DO UPDATE SET count = u.count + excluded.count, units = u.units + excluded.units;
  END IF;

  RETURN cardinality(key_ids);
END
$$;
--> statement-breakpoint

CREATE OR REPLACE FUNCTION shard_usage_log(max_counters integer, shards integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET lock_timeout = '100ms' SET jit = off
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
                           ages_ms, workspaces, workspace_hours, workspace_counts, origins)
    SELECT shard, count(*), min(written_at), max(latest_ms),
           string_agg(secret, ','), string_agg(code, ','), string_agg(hour::text, ','),
           string_agg(count::text, ','), string_agg(units::text, ','),
           string_agg((latest_ms - last_ms)::text, ','), '', '', '',
           string_agg(coalesce(substr(used_from, 15), ''), ',')
      FROM merged GROUP BY shard
  )
  SELECT count(*) INTO taken FROM merged;
  RETURN taken;
END
$$;
--> statement-breakpoint

-- Makes the partitions for all that is kept, and for a week and a month to come. Attached ones, since
-- that keeps no reader waiting. Who reads the table may read them: dumps do, by name. False if another
-- instance is at work.
CREATE FUNCTION make_usage_partitions(hours_from timestamptz, days_from date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
SET lock_timeout = '100ms' AS $$
DECLARE
  part record;
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396121) THEN
    RETURN false;
  END IF;
  FOR part IN
    SELECT 'usage_hours' AS whole, to_char(start, '"usage_hours_"YYYYMMDD') AS name, start::text AS low,
           (start + interval '7 days')::text AS high
      FROM generate_series(date_trunc('week', greatest(hours_from, now() - interval '400 days')),
                           now() + interval '7 days', interval '7 days') AS start
    UNION ALL
    SELECT 'usage_days', to_char(start, '"usage_days_"YYYYMM'), start::date::text,
           (start + interval '1 month')::date::text
      FROM generate_series(date_trunc('month', greatest(days_from, '2000-01-01')::timestamptz),
                           now() + interval '1 month', interval '1 month') AS start
  LOOP
    IF to_regclass('public.' || part.name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000)',
        part.name, part.whole);
      PERFORM share_read_grants(part.whole::regclass, part.name::regclass);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        part.whole, part.name, part.low, part.high);
    END IF;
  END LOOP;
  RETURN true;
END
$$;
--> statement-breakpoint

-- Moves counts of hours before `before`: to their hour, if that is kept, and to their day, or where days
-- are not kept to their month. A step looks at about that many rows, in the order of the primary key,
-- from behind (`after_workspace`, `after_key`), and answers where it ended: null at the end of the
-- table. It moves at most twice as many, so that a key with more takes several steps. `oldest` is the
-- first hour that is left of those it looked at. `moved` is null if another instance is at work.
--
-- No caller can take the hours of the last two days from their hour, nor the days of the last 35 from
-- their day. All keys may be in one workspace: of a range of keys the planner knows too little.
--
-- A row that a fold has locked is left for the next run. A fold that waits for a row which is moved
-- meanwhile finds none, and inserts it again: each count is in one place, whichever comes first.
CREATE FUNCTION move_usage(
  before timestamptz, hours_from timestamptz, days_from date,
  after_workspace text, after_key text, max_rows integer,
  OUT moved integer, OUT end_workspace text, OUT end_key text, OUT oldest timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
SET lock_timeout = '100ms' SET jit = off SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396121) THEN
    RETURN;
  END IF;
  hours_from := least(hours_from, now() - interval '2 days');
  days_from := least(days_from, now()::date - 35);
  SELECT workspace_id, key_id INTO end_workspace, end_key FROM usage_recent
   WHERE (workspace_id, key_id) > (after_workspace, after_key)
   ORDER BY 1, 2 OFFSET max_rows LIMIT 1;
  WITH gone AS MATERIALIZED (
    DELETE FROM usage_recent WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM usage_recent
       WHERE (workspace_id, key_id) > (after_workspace, after_key)
         AND (end_key IS NULL OR (workspace_id, key_id) <= (end_workspace, end_key))
         AND hour < before
       LIMIT 2 * max_rows FOR UPDATE SKIP LOCKED))
    RETURNING workspace_id, key_id, hour, secret_ref, code, count, units
  ), hours AS (
    INSERT INTO usage_hours (workspace_id, key_id, hour, secret_ref, code, count, units)
    SELECT * FROM gone WHERE hour >= hours_from ORDER BY 1, 2, 3
  ), days AS (
    INSERT INTO usage_days (workspace_id, key_id, day, secret_ref, code, count, units)
    SELECT workspace_id, key_id, hour::date, secret_ref, code, sum(count), sum(units)
      FROM gone WHERE hour >= days_from GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3
  ), months AS (
    INSERT INTO usage_months (workspace_id, key_id, month, secret_ref, code, count, units)
    SELECT workspace_id, key_id, date_trunc('month', hour), secret_ref, code, sum(count), sum(units)
      FROM gone WHERE hour < days_from GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3
  )
  SELECT count(*) INTO moved FROM gone;
  SELECT min(hour) INTO oldest FROM usage_recent
   WHERE (workspace_id, key_id) > (after_workspace, after_key)
     AND (end_key IS NULL OR (workspace_id, key_id) <= (end_workspace, end_key));
  IF moved >= 2 * max_rows THEN
    end_workspace := after_workspace;
    end_key := after_key;
    oldest := NULL;
  END IF;
END
$$;
--> statement-breakpoint

-- The same for attempts that matched no key: they have no key and no string.
CREATE FUNCTION move_unmatched_usage(
  before timestamptz, hours_from timestamptz, days_from date, max_rows integer
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET timezone = 'UTC' SET lock_timeout = '100ms' SET jit = off AS $$
DECLARE
  moved integer;
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396121) THEN
    RETURN NULL;
  END IF;
  hours_from := least(hours_from, now() - interval '2 days');
  days_from := least(days_from, now()::date - 35);
  WITH gone AS MATERIALIZED (
    DELETE FROM usage_unmatched WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM usage_unmatched WHERE hour < before LIMIT max_rows FOR UPDATE SKIP LOCKED))
    RETURNING workspace_id, hour, count
  ), hours AS (
    INSERT INTO usage_hours (workspace_id, key_id, hour, secret_ref, code, count, units)
    SELECT workspace_id, '', hour, '', 'NOT_FOUND', count, 0 FROM gone WHERE hour >= hours_from
  ), days AS (
    INSERT INTO usage_days (workspace_id, key_id, day, secret_ref, code, count, units)
    SELECT workspace_id, '', hour::date, '', 'NOT_FOUND', sum(count), 0
      FROM gone WHERE hour >= days_from GROUP BY 1, 3
  ), months AS (
    INSERT INTO usage_months (workspace_id, key_id, month, secret_ref, code, count, units)
    SELECT workspace_id, '', date_trunc('month', hour), '', 'NOT_FOUND', sum(count), 0
      FROM gone WHERE hour < days_from GROUP BY 1, 3
  )
  SELECT count(*) INTO moved FROM gone;
  RETURN moved;
END
$$;
--> statement-breakpoint

-- Adds days before `before`, the first of a month, to their months. Steps like those of `move_usage`.
-- No caller can take the days of the last 35 days.
CREATE FUNCTION move_usage_days(
  before date, after_workspace text, after_key text, max_rows integer,
  OUT moved integer, OUT end_workspace text, OUT end_key text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
SET lock_timeout = '100ms' SET jit = off SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396121) THEN
    RETURN;
  END IF;
  before := date_trunc('month', least(before, now()::date - 35)::timestamptz)::date;
  SELECT workspace_id, key_id INTO end_workspace, end_key FROM usage_days
   WHERE day < before AND (workspace_id, key_id) > (after_workspace, after_key)
   ORDER BY 1, 2 OFFSET max_rows LIMIT 1;
  WITH gone AS MATERIALIZED (
    DELETE FROM usage_days d USING (
      SELECT tableoid AS part, ctid AS place FROM usage_days
       WHERE day < before AND (workspace_id, key_id) > (after_workspace, after_key)
         AND (end_key IS NULL OR (workspace_id, key_id) <= (end_workspace, end_key))
       LIMIT 2 * max_rows) AS due
     WHERE d.day < before AND d.tableoid = due.part AND d.ctid = due.place
    RETURNING d.workspace_id, d.key_id, d.day, d.secret_ref, d.code, d.count, d.units
  ), months AS (
    INSERT INTO usage_months (workspace_id, key_id, month, secret_ref, code, count, units)
    SELECT workspace_id, key_id, date_trunc('month', day::timestamptz), secret_ref, code,
           sum(count), sum(units)
      FROM gone GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3
  )
  SELECT count(*) INTO moved FROM gone;
  IF moved >= 2 * max_rows THEN
    end_workspace := after_workspace;
    end_key := after_key;
  END IF;
END
$$;
--> statement-breakpoint

-- Drops one partition that is older than what is kept, and answers its name: '' if there is none, null
-- if another instance is at work. One of days is dropped when it is empty: its counts are in months.
-- Hours of the last two days and days of the last 35 are kept whatever a caller asks. Behind a reader it
-- gives up after 100 ms.
CREATE FUNCTION drop_usage_partition(hours_before timestamptz, days_before date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC'
SET lock_timeout = '100ms' AS $$
DECLARE
  part record;
  is_empty boolean;
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396121) THEN
    RETURN NULL;
  END IF;
  FOR part IN
    SELECT i.inhrelid::regclass::text AS name, i.inhparent = 'usage_days'::regclass AS is_days
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
           LATERAL (SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(.+)''\)') AS high) AS b
     WHERE i.inhparent = 'usage_hours'::regclass
           AND b.high::timestamptz <= least(hours_before, now() - interval '2 days')
        OR i.inhparent = 'usage_days'::regclass AND b.high::date <= least(days_before, now()::date - 35)
     ORDER BY c.relname
  LOOP
    IF part.is_days THEN
      EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', part.name);
      EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', part.name) INTO is_empty;
      CONTINUE WHEN NOT is_empty;
    END IF;
    EXECUTE format('DROP TABLE %s', part.name);
    RETURN part.name;
  END LOOP;
  RETURN '';
END
$$;
--> statement-breakpoint

-- Removes keys that were deleted before `before`, each as a whole. Their counts stay as those of no key,
-- in their workspace. A key with counts that are still to be moved or folded is left for the next run.
-- So is one whose string is still presented: an attempt may be in memory. No caller can remove one that was
-- deleted within the last seven days: as long as a flush may be late.
CREATE FUNCTION remove_deleted_keys(before timestamptz, max_keys integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET lock_timeout = '100ms' SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  ids text[];
  refs text[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396121) THEN
    RETURN NULL;
  END IF;
  IF EXISTS (SELECT FROM usage_log WHERE written_at < now() - interval '1 day') THEN
    RETURN 0;
  END IF;
  before := least(before, now() - interval '7 days');
  ids := ARRAY(
    SELECT id FROM keys k WHERE deleted_at < before
       AND NOT EXISTS (SELECT FROM key_usage u WHERE u.key_id = k.id AND u.last_denied_at >= before)
       AND NOT EXISTS (SELECT FROM usage_recent u WHERE u.workspace_id = k.workspace_id AND u.key_id = k.id)
     ORDER BY deleted_at LIMIT max_keys FOR UPDATE SKIP LOCKED);
  refs := ARRAY(SELECT ref FROM secrets WHERE key_id = ANY (ids));
  UPDATE usage_hours u SET key_id = '', secret_ref = '' FROM keys k
   WHERE k.id = ANY (ids) AND u.workspace_id = k.workspace_id AND u.key_id = k.id;
  UPDATE usage_days u SET key_id = '', secret_ref = '' FROM keys k
   WHERE k.id = ANY (ids) AND u.workspace_id = k.workspace_id AND u.key_id = k.id;
  UPDATE usage_months u SET key_id = '', secret_ref = '' FROM keys k
   WHERE k.id = ANY (ids) AND u.workspace_id = k.workspace_id AND u.key_id = k.id;
  DELETE FROM keys WHERE id = ANY (ids);
  DELETE FROM key_consumption WHERE key_id = ANY (ids);
  DELETE FROM secrets WHERE ref = ANY (refs);
  DELETE FROM secret_proofs WHERE ref = ANY (refs);
  DELETE FROM secret_usage WHERE secret_ref = ANY (refs);
  DELETE FROM key_usage WHERE key_id = ANY (ids);
  RETURN cardinality(ids);
END
$$;
--> statement-breakpoint

-- Erases whence keys and each of their strings were last used, until a time in milliseconds: what of
-- before is still to be folded does not bring it back, nor what was counted a little ahead of that time.
CREATE FUNCTION erase_last_used_from(key_ids text[], until_ms bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET lock_timeout = '1s' SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  -- Not for longer than clocks differ, for every caller.
  until_ms := least(until_ms, (extract(epoch FROM now()) * 1000)::bigint + 60000);
  INSERT INTO secret_usage AS u (secret_ref, total, last_used_from)
  SELECT ref, 0, until_ms || '  ' FROM secrets WHERE key_id = ANY (key_ids) ORDER BY ref
  ON CONFLICT (secret_ref) DO UPDATE
    SET last_used_from = greatest(excluded.last_used_from, left(u.last_used_from, 13) || '  ');
  UPDATE key_usage SET last_used_from = greatest(until_ms || '  ', left(last_used_from, 13) || '  ')
   WHERE key_id = ANY (key_ids);
END
$$;
--> statement-breakpoint

-- Removes strings that ended before `before`, by a rotation that was before that too. Their counts stay
-- with their key. One that is still presented stays. Imported ones stay as long as their key: a digest could be imported again.
CREATE FUNCTION remove_retired_secrets(before timestamptz, max_secrets integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET lock_timeout = '100ms' SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  refs text[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396121) THEN
    RETURN NULL;
  END IF;
  IF EXISTS (SELECT FROM usage_log WHERE written_at < now() - interval '1 day') THEN
    RETURN 0;
  END IF;
  before := least(before, now() - interval '7 days');
  refs := ARRAY(
    SELECT ref FROM secrets s
     WHERE status <> 'current' AND created_at < before AND position('@' in ref) = 0
       AND coalesce(valid_until < before, true)
       AND NOT EXISTS (SELECT FROM secret_usage u
                        WHERE u.secret_ref = s.ref AND u.last_denied_at >= before)
       AND EXISTS (SELECT FROM secrets n WHERE n.key_id = s.key_id
                      AND n.created_at > s.created_at AND n.created_at < before)
       AND NOT EXISTS (SELECT FROM usage_recent u
                        WHERE u.workspace_id = CASE WHEN s.key_id LIKE 'mk\_%' THEN '' ELSE s.workspace_id END
                          AND u.key_id = s.key_id AND u.secret_ref = s.ref)
     ORDER BY created_at LIMIT max_secrets FOR UPDATE SKIP LOCKED);
  UPDATE usage_hours u SET secret_ref = '' FROM secrets s
   WHERE s.ref = ANY (refs) AND u.workspace_id IN (s.workspace_id, '') AND u.key_id = s.key_id
     AND u.secret_ref = s.ref;
  UPDATE usage_days u SET secret_ref = '' FROM secrets s
   WHERE s.ref = ANY (refs) AND u.workspace_id IN (s.workspace_id, '') AND u.key_id = s.key_id
     AND u.secret_ref = s.ref;
  UPDATE usage_months u SET secret_ref = '' FROM secrets s
   WHERE s.ref = ANY (refs) AND u.workspace_id IN (s.workspace_id, '') AND u.key_id = s.key_id
     AND u.secret_ref = s.ref;
  DELETE FROM secrets WHERE ref = ANY (refs);
  DELETE FROM secret_proofs WHERE ref = ANY (refs);
  DELETE FROM secret_usage WHERE secret_ref = ANY (refs);
  RETURN cardinality(refs);
END
$$;
--> statement-breakpoint

-- The service may call these and read the tables, nothing more: `keyward grants` says so.
REVOKE EXECUTE ON FUNCTION
  fold_usage_log(integer, integer, boolean), shard_usage_log(integer, integer),
  make_usage_partitions(timestamptz, date),
  move_usage(timestamptz, timestamptz, date, text, text, integer),
  move_unmatched_usage(timestamptz, timestamptz, date, integer),
  move_usage_days(date, text, text, integer), drop_usage_partition(timestamptz, date),
  remove_deleted_keys(timestamptz, integer), remove_retired_secrets(timestamptz, integer),
  erase_last_used_from(text[], bigint)
FROM PUBLIC;
