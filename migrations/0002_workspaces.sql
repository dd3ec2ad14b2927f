CREATE TABLE "audit_checkpoints" (
	"workspace_id" text PRIMARY KEY NOT NULL,
	"sequence" bigint NOT NULL,
	"hash" text NOT NULL,
	"cut_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"caller_id" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"answer" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "idempotency_keys_caller_id_key_pk" PRIMARY KEY("caller_id","key")
);
--> statement-breakpoint
CREATE TABLE "management_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"workspace_id" text,
	"name" text NOT NULL,
	"permissions" text[] NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"revision" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" jsonb NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"revoked_by" jsonb
);
--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "name" text;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "api_access" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "max_active_keys" integer;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "require_expiry" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "max_lifetime_seconds" integer;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "require_resource" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "available_scopes" jsonb;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "immutable_keys" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "revision" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "deleted_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "management_keys" ADD CONSTRAINT "management_keys_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idempotency_keys_by_created" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "management_keys_by_created" ON "management_keys" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "keys_by_owner" ON "keys" USING btree ("workspace_id","owner_id");--> statement-breakpoint
CREATE UNIQUE INDEX "secrets_one_current" ON "secrets" USING btree ("key_id") WHERE "secrets"."status" = 'current';