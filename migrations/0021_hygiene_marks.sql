-- Marks for the hygiene report: keys that ended long ago are most of all keys after a while, and a report
-- of the others need not pass over them. Only `mark_ended_keys` writes them.
CREATE INDEX "keys_ended" ON "keys" USING btree ("revoked_at","id") WHERE "keys"."revoked_at" is not null;--> statement-breakpoint
ALTER TABLE "key_usage" ADD COLUMN "ended" boolean DEFAULT false NOT NULL;--> statement-breakpoint
DROP INDEX "key_usage_never";--> statement-breakpoint
DROP INDEX "key_usage_by_day";--> statement-breakpoint
CREATE INDEX "key_usage_never" ON "key_usage" USING btree ("workspace_id","key_id") WHERE "key_usage"."last_used_day" is null and not "key_usage"."ended";--> statement-breakpoint
CREATE INDEX "key_usage_by_day" ON "key_usage" USING btree ("workspace_id","last_used_day","key_id") WHERE "key_usage"."last_used_day" is not null and not "key_usage"."ended";--> statement-breakpoint
-- Last, since strings that no instance has in memory wait from here to the end.
ALTER TABLE "secrets" ADD COLUMN "ended" boolean DEFAULT false NOT NULL;--> statement-breakpoint
DROP INDEX "secrets_current";--> statement-breakpoint
DROP INDEX "secrets_imported";--> statement-breakpoint
CREATE INDEX "secrets_current" ON "secrets" USING btree ("workspace_id","created_at","key_id") WHERE "secrets"."status" = 'current' and not "secrets"."ended";--> statement-breakpoint
CREATE INDEX "secrets_imported" ON "secrets" USING btree ("workspace_id","created_at","key_id") WHERE "secrets"."status" = 'current' and position('@' in "secrets"."ref") > 0 and not "secrets"."ended";
--> statement-breakpoint

-- Marks that keys were revoked before `before`, in the order of that, from behind (`after_time`,
-- `after_key`), and answers where it ended. `looked` is null if another instance is at work. A row that a
-- fold has locked stays unmarked: reports pass over it, and are as right without any mark.
CREATE FUNCTION mark_ended_keys(
  after_time timestamptz, after_key text, before timestamptz, max_keys integer,
  OUT looked integer, OUT marked integer, OUT end_time timestamptz, OUT end_key text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET lock_timeout = '100ms' SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  ids text[];
  times timestamptz[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(5396121) THEN
    RETURN;
  END IF;
  SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(revoked_at), '{}') INTO ids, times FROM (
    SELECT id, revoked_at FROM keys
     WHERE revoked_at < before AND (revoked_at, id) > (after_time, after_key)
     ORDER BY revoked_at, id LIMIT max_keys) AS k;
  looked := cardinality(ids);
  end_time := coalesce(times[looked], after_time);
  end_key := coalesce(ids[looked], after_key);
  UPDATE key_usage SET ended = true WHERE key_id = ANY (ARRAY(
    SELECT key_id FROM key_usage WHERE key_id = ANY (ids) AND NOT ended FOR NO KEY UPDATE SKIP LOCKED));
  GET DIAGNOSTICS marked = ROW_COUNT;
  UPDATE secrets SET ended = true WHERE ref = ANY (ARRAY(
    SELECT ref FROM secrets WHERE key_id = ANY (ids) AND status = 'current' AND NOT ended
       FOR NO KEY UPDATE SKIP LOCKED));
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION mark_ended_keys(timestamptz, text, timestamptz, integer) FROM PUBLIC;
