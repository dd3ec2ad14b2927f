-- What this installation is: 32 random bytes that key the checksums of its keys. Three UUIDs carry
-- 366 bits from the server's strong random source.
INSERT INTO installation (id, checksum_key)
VALUES (1, sha256((gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text)::bytea));
--> statement-breakpoint
INSERT INTO workspaces (id) VALUES ('default');
--> statement-breakpoint

-- The change feed: what every instance's memory must forget, by the transaction that changed it.
CREATE TABLE change_feed (
  txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  kind text NOT NULL CHECK (kind IN ('secret', 'key', 'workspace', 'everything')),
  id text NOT NULL
);
--> statement-breakpoint
CREATE INDEX change_feed_by_txid ON change_feed (txid);
--> statement-breakpoint

-- Empty after a crash or a promotion: whoever finds it so puts in a new identifier.
CREATE UNLOGGED TABLE incarnation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  id uuid NOT NULL
);
--> statement-breakpoint

-- Pruning goes by transaction id: below what was xmin a while ago, everything had ended.
CREATE TABLE feed_horizons (
  recorded_at timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
  oldest xid8 NOT NULL
);
--> statement-breakpoint
CREATE TABLE feed_pruned (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  below xid8 NOT NULL
);
--> statement-breakpoint
INSERT INTO feed_pruned (below) VALUES ('0');
--> statement-breakpoint

-- One trigger function for all tables. Arguments: what a row names, its column, its workspace's
-- column. More than a thousand rows in one statement name their workspaces instead. The feed is
-- named with its schema, so that no search_path and no temporary table can come between.
CREATE FUNCTION feed_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed text := CASE TG_OP
    WHEN 'INSERT' THEN 'SELECT * FROM after_rows'
    WHEN 'DELETE' THEN 'SELECT * FROM before_rows'
    ELSE 'SELECT * FROM before_rows UNION ALL SELECT * FROM after_rows'
  END;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE format('INSERT INTO %I.change_feed (kind, id) VALUES (%L, %L)',
                   TG_TABLE_SCHEMA, 'everything', '');
    RETURN NULL;
  END IF;
  EXECUTE format(
    'WITH named AS (SELECT DISTINCT %2$I AS id, %3$I AS workspace FROM (%4$s) AS changed),
          total AS (SELECT count(*) AS rows FROM named)
     INSERT INTO %5$I.change_feed (kind, id)
     SELECT %1$L, id FROM named, total WHERE rows <= 1000
     UNION ALL
     SELECT DISTINCT CASE WHEN workspace IS NULL THEN ''everything'' ELSE ''workspace'' END,
                     coalesce(workspace, '''')
     FROM named, total WHERE rows > 1000',
    TG_ARGV[0], TG_ARGV[1], TG_ARGV[2], changed, TG_TABLE_SCHEMA);
  RETURN NULL;
END
$$;
--> statement-breakpoint

-- ENABLE ALWAYS: also when session_replication_role says replica.
CREATE FUNCTION feed_table(name regclass, kind text, id_column text, workspace_column text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  event text;
  transition text;
BEGIN
  FOREACH event IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] LOOP
    transition := CASE event
      WHEN 'INSERT' THEN 'REFERENCING NEW TABLE AS after_rows'
      WHEN 'UPDATE' THEN 'REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows'
      WHEN 'DELETE' THEN 'REFERENCING OLD TABLE AS before_rows'
      ELSE ''
    END;
    EXECUTE format(
      'CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION feed_change(%L, %L, %L)',
      'feed_' || lower(event), event, name, transition, kind, id_column, workspace_column);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', name, 'feed_' || lower(event));
  END LOOP;
END
$$;
--> statement-breakpoint
SELECT feed_table('keys', 'key', 'id', 'workspace_id');
--> statement-breakpoint
SELECT feed_table('secrets', 'secret', 'ref', 'workspace_id');
--> statement-breakpoint
SELECT feed_table('workspaces', 'workspace', 'id', 'id');
--> statement-breakpoint

-- The audit log is append-only for every role that the triggers bind.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_events is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_append_only;
--> statement-breakpoint
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_no_truncate;
