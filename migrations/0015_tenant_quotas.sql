ALTER TABLE "workspaces" ADD COLUMN "max_keys" integer;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "max_audit_events" integer;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "max_requests_per_second" integer;--> statement-breakpoint
ALTER TABLE "management_keys" ADD COLUMN "max_requests_per_second" integer;
