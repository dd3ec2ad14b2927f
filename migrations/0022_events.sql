CREATE TABLE "alert_checks" (
	"type" text PRIMARY KEY NOT NULL,
	"begun_at" timestamp (3) with time zone NOT NULL,
	"held_until" timestamp (3) with time zone NOT NULL,
	"place" text
);
--> statement-breakpoint
CREATE TABLE "alerts" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text NOT NULL,
	"type" text NOT NULL,
	"target_type" text NOT NULL,
	"target_id" text NOT NULL,
	"cause" text NOT NULL,
	"details" jsonb NOT NULL,
	"opened_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"acknowledged_at" timestamp (3) with time zone,
	"acknowledged_by" jsonb,
	"acknowledge_note" text
);
--> statement-breakpoint
CREATE TABLE "webhook_deliveries" (
	"position" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "webhook_deliveries_position_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"webhook_id" text NOT NULL,
	"workspace_id" text,
	"sequence" bigint,
	"event_id" text NOT NULL,
	"event_type" text NOT NULL,
	"subject" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"due_at" timestamp (3) with time zone DEFAULT now(),
	"leased_until" timestamp (3) with time zone,
	"attempts" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"finished_at" timestamp (3) with time zone,
	CONSTRAINT "webhook_deliveries_id_unique" UNIQUE("id"),
	CONSTRAINT "webhook_deliveries_status" CHECK ("webhook_deliveries"."status" in ('pending', 'delivered', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "webhooks" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text,
	"url" text NOT NULL,
	"description" text,
	"event_types" text[],
	"format" text NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"disabled_reason" text,
	"failing_since" timestamp (3) with time zone,
	"last_delivered_at" timestamp (3) with time zone,
	"signing_secret" "bytea",
	"previous_secret" "bytea",
	"previous_secret_until" timestamp (3) with time zone,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" jsonb NOT NULL,
	"directed_by" jsonb,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "alert_thresholds" jsonb;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "idle_policy" jsonb;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "leak_response" text DEFAULT 'revoke' NOT NULL;--> statement-breakpoint
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "alerts_once" ON "alerts" USING btree ("workspace_id","type","target_id","cause");--> statement-breakpoint
CREATE INDEX "alerts_open" ON "alerts" USING btree ("workspace_id","type") WHERE "alerts"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "alerts_by_opened" ON "alerts" USING btree ("workspace_id","opened_at","id");--> statement-breakpoint
CREATE INDEX "alerts_of_all" ON "alerts" USING btree ("opened_at","id");--> statement-breakpoint
CREATE INDEX "alerts_by_target" ON "alerts" USING btree ("target_id","opened_at");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_due" ON "webhook_deliveries" USING btree ("webhook_id","due_at") WHERE "webhook_deliveries"."status" = 'pending';--> statement-breakpoint
CREATE INDEX "webhook_deliveries_waiting" ON "webhook_deliveries" USING btree ("webhook_id","subject","position") WHERE "webhook_deliveries"."status" = 'pending';--> statement-breakpoint
CREATE INDEX "webhook_deliveries_log" ON "webhook_deliveries" USING btree ("webhook_id","position");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_finished" ON "webhook_deliveries" USING btree ("finished_at") WHERE "webhook_deliveries"."finished_at" is not null;--> statement-breakpoint
CREATE INDEX "webhooks_enabled" ON "webhooks" USING btree ("workspace_id") WHERE "webhooks"."enabled" and "webhooks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "webhooks_by_created" ON "webhooks" USING btree ("created_at","id") WHERE "webhooks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "alerts_open_by_opened" ON "alerts" USING btree ("workspace_id","opened_at","id") WHERE "alerts"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "alerts_ended" ON "alerts" USING btree ("ended_at") WHERE "alerts"."ended_at" is not null;--> statement-breakpoint
CREATE INDEX "keys_with_credits" ON "keys" USING btree ("workspace_id","id") WHERE "keys"."deleted_at" is null and "keys"."revoked_at" is null and "keys"."credits_limited";--> statement-breakpoint
CREATE INDEX "management_keys_by_expiry" ON "management_keys" USING btree (coalesce("workspace_id", 'default'),"expires_at","id") WHERE "management_keys"."revoked_at" is null and "management_keys"."expires_at" is not null;--> statement-breakpoint
CREATE INDEX "usage_recent_denied" ON "usage_recent" USING btree ("workspace_id","code","hour","key_id","secret_ref") WHERE "usage_recent"."code" <> 'VALID';--> statement-breakpoint
ALTER TABLE "workspaces" ADD CONSTRAINT "workspaces_leak_response" CHECK ("workspaces"."leak_response" in ('revoke', 'rotate'));
--> statement-breakpoint

-- Each new entry of an audit log waits for delivery to the webhooks that take it, from the transaction of
-- the entry: none is lost, and those of a subject are in their order, for logs are locked until the commit.
-- A webhook of one workspace is told of the things of that workspace alone: `default` has entries on others.
-- However many webhooks there are, an entry asks for those of its workspace and those of all, by their index.
-- What comes behind an event of the same subject that is tried again later is due no sooner than that one.
CREATE FUNCTION queue_webhook_deliveries() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.webhooks WHERE enabled AND deleted_at IS NULL) THEN
    RETURN NULL;
  END IF;
  INSERT INTO public.webhook_deliveries
    (webhook_id, workspace_id, sequence, event_id, event_type, subject, due_at)
  SELECT w.id, e.workspace_id, e.sequence, e.id, e.action, coalesce(e.target_id, ''),
         greatest(now(), (SELECT head.due_at FROM public.webhook_deliveries head
                           WHERE head.webhook_id = w.id AND head.subject = coalesce(e.target_id, '')
                             AND head.status = 'pending'
                           ORDER BY head.position LIMIT 1))
    FROM added e
   CROSS JOIN LATERAL (
     SELECT id, event_types FROM public.webhooks
      WHERE workspace_id IS NULL AND enabled AND deleted_at IS NULL
      UNION ALL
     SELECT id, event_types FROM public.webhooks
      WHERE workspace_id = e.workspace_id AND enabled AND deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM public.management_keys m
                         WHERE m.id = e.target_id AND m.workspace_id IS DISTINCT FROM e.workspace_id)
        AND NOT EXISTS (SELECT FROM public.webhooks other
                         WHERE other.id = e.target_id
                           AND other.workspace_id IS DISTINCT FROM e.workspace_id)) w
   WHERE w.event_types IS NULL OR e.action = ANY (w.event_types)
   ORDER BY e.workspace_id, e.sequence, w.id;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER audit_to_webhooks AFTER INSERT ON audit_events REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION queue_webhook_deliveries();
--> statement-breakpoint
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_to_webhooks;
--> statement-breakpoint

-- Who had a management key may have made webhooks with it, or sent them elsewhere: they end with it, until
-- someone else enables them.
CREATE FUNCTION disable_webhooks_of_creator() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.webhooks
     SET enabled = false, disabled_reason = 'creator_revoked', revision = revision + 1, updated_at = NEW.revoked_at
   WHERE NEW.id IN (created_by ->> 'id', directed_by ->> 'id') AND enabled AND deleted_at IS NULL;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER management_keys_to_webhooks AFTER UPDATE OF revoked_at ON management_keys FOR EACH ROW
WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION disable_webhooks_of_creator();
--> statement-breakpoint
ALTER TABLE management_keys ENABLE ALWAYS TRIGGER management_keys_to_webhooks;
