CREATE TABLE "key_consumption" (
	"key_id" text PRIMARY KEY NOT NULL,
	"credits" bigint,
	"refilled_ms" bigint DEFAULT 0 NOT NULL,
	"last_ms" bigint DEFAULT 0 NOT NULL,
	"names" text[] DEFAULT '{}' NOT NULL,
	"windows" integer[] DEFAULT '{}' NOT NULL,
	"slices" bigint[] DEFAULT '{}' NOT NULL,
	"counts" bigint[] DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
ALTER TABLE "batch_sequences" ADD COLUMN "answer" text;--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "limit_names" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "limit_units" bigint[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "limit_windows" integer[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "credits_limited" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "refill_interval" text;--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "refill_amount" bigint;--> statement-breakpoint
ALTER TABLE "keys" ADD COLUMN "refill_day" integer;