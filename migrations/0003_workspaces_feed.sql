SELECT feed_table('management_keys', 'key', 'id', 'workspace_id');
--> statement-breakpoint

-- Retention is the one thing that may delete, and only from the front: it says so for its own
-- transaction, and a checkpoint keeps where the log was cut.
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('keyward.audit_retention', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'audit_events is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
