-- A thief of the role that the service runs as could hide a revocation from the instances that have the
-- key in memory: by deleting the row of the feed that names it. Now a row goes only below the bound of
-- pruning, and who raises that bound makes every instance that could miss a row forget what it has.
-- Owners may, as they could anyway. With the schema in its name: a temporary table would come before it.
CREATE FUNCTION refuse_early_pruning() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM gone, public.feed_pruned
              WHERE gone.txid >= feed_pruned.below
                AND gone.txid < pg_snapshot_xmax(pg_current_snapshot()))
     AND NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
    RAISE EXCEPTION 'change_feed: instances may not have seen these rows' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER feed_is_kept AFTER DELETE ON change_feed REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION refuse_early_pruning();
--> statement-breakpoint
ALTER TABLE change_feed ENABLE ALWAYS TRIGGER feed_is_kept;
--> statement-breakpoint
-- Not back, unless it is one of another cluster, from a dump; nor beyond what has ended.
CREATE TRIGGER feed_bound_is_kept BEFORE UPDATE ON feed_pruned FOR EACH ROW
WHEN (NEW.below > pg_snapshot_xmin(pg_current_snapshot())
      OR NEW.below < OLD.below AND OLD.below <= pg_snapshot_xmax(pg_current_snapshot()))
EXECUTE FUNCTION refuse_unless_owner('the bound of pruning only rises, to what has ended');
--> statement-breakpoint
ALTER TABLE feed_pruned ENABLE ALWAYS TRIGGER feed_bound_is_kept;
