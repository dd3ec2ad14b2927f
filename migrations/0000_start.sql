CREATE TABLE "audit_events" (
	"workspace_id" text NOT NULL,
	"sequence" bigint NOT NULL,
	"payload" text NOT NULL,
	"hash" text NOT NULL,
	"pepper_id" text,
	"id" text GENERATED ALWAYS AS ((payload::jsonb ->> 'id')) STORED,
	"action" text GENERATED ALWAYS AS ((payload::jsonb ->> 'action')) STORED,
	"actor_id" text GENERATED ALWAYS AS ((payload::jsonb #>> '{actor,id}')) STORED,
	"on_behalf_of" text GENERATED ALWAYS AS ((payload::jsonb #>> '{actor,onBehalfOf}')) STORED,
	"target_id" text GENERATED ALWAYS AS ((payload::jsonb #>> '{target,id}')) STORED,
	"time" text GENERATED ALWAYS AS ((payload::jsonb ->> 'time')) STORED,
	CONSTRAINT "audit_events_workspace_id_sequence_pk" PRIMARY KEY("workspace_id","sequence")
);
--> statement-breakpoint
CREATE TABLE "audit_heads" (
	"workspace_id" text PRIMARY KEY NOT NULL,
	"sequence" bigint NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "batch_sequences" (
	"instance" uuid NOT NULL,
	"lane" text NOT NULL,
	"sequence" bigint NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "batch_sequences_instance_lane_pk" PRIMARY KEY("instance","lane")
);
--> statement-breakpoint
CREATE TABLE "installation" (
	"id" integer PRIMARY KEY NOT NULL,
	"checksum_key" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "key_usage" (
	"key_id" text PRIMARY KEY NOT NULL,
	"total" bigint NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"last_denied_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "keys" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"prefix" text NOT NULL,
	"owner_id" text,
	"scopes" text[] NOT NULL,
	"resources" text[],
	"allowed_ips" text[],
	"metadata" jsonb NOT NULL,
	"enabled" boolean NOT NULL,
	"not_before" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"revision" integer DEFAULT 1 NOT NULL,
	"min_policy_version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" jsonb NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"revoked_by" jsonb,
	"revoke_reason" text,
	"revoke_note" text,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "secret_proofs" (
	"ref" text PRIMARY KEY NOT NULL,
	"pepper_id" text NOT NULL,
	"proof" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "secret_usage" (
	"secret_ref" text PRIMARY KEY NOT NULL,
	"total" bigint NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"last_denied_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "secrets" (
	"ref" text PRIMARY KEY NOT NULL,
	"id" text NOT NULL,
	"key_id" text NOT NULL,
	"workspace_id" text,
	"start" text NOT NULL,
	"hash" text NOT NULL,
	"status" text NOT NULL,
	"valid_until" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "secrets_id_unique" UNIQUE("id"),
	CONSTRAINT "secrets_status" CHECK ("secrets"."status" in ('current', 'retiring', 'retired'))
);
--> statement-breakpoint
CREATE TABLE "usage_hourly" (
	"key_id" text NOT NULL,
	"hour" timestamp (3) with time zone NOT NULL,
	"secret_ref" text NOT NULL,
	"code" text NOT NULL,
	"count" bigint NOT NULL,
	CONSTRAINT "usage_hourly_key_id_hour_secret_ref_code_pk" PRIMARY KEY("key_id","hour","secret_ref","code")
);
--> statement-breakpoint
CREATE TABLE "usage_unmatched" (
	"workspace_id" text NOT NULL,
	"hour" timestamp (3) with time zone NOT NULL,
	"count" bigint NOT NULL,
	CONSTRAINT "usage_unmatched_workspace_id_hour_pk" PRIMARY KEY("workspace_id","hour")
);
--> statement-breakpoint
CREATE TABLE "workspaces" (
	"id" text PRIMARY KEY NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"default_prefix" text DEFAULT 'ak_live' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "workspaces_status" CHECK ("workspaces"."status" in ('active', 'suspended'))
);
--> statement-breakpoint
ALTER TABLE "keys" ADD CONSTRAINT "keys_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_events_by_target" ON "audit_events" USING btree ("workspace_id","target_id","sequence");--> statement-breakpoint
CREATE INDEX "audit_events_by_time" ON "audit_events" USING btree ("workspace_id","time");--> statement-breakpoint
CREATE INDEX "keys_by_created" ON "keys" USING btree ("workspace_id","created_at","id") WHERE "keys"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "secrets_by_key" ON "secrets" USING btree ("key_id");