DROP INDEX "keys_by_created";--> statement-breakpoint
DROP INDEX "keys_by_owner";--> statement-breakpoint
CREATE INDEX "keys_by_name" ON "keys" USING btree ("workspace_id",(lower("name") collate "C"),"id") WHERE "keys"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "keys_by_expiry" ON "keys" USING btree ("workspace_id",coalesce("expires_at", 'infinity'::timestamptz),"id") WHERE "keys"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "keys_by_prefix" ON "keys" USING btree ("workspace_id","prefix","created_at","id") WHERE "keys"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "keys_by_scope" ON "keys" USING gin ("scopes") WHERE "keys"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "keys_revoked" ON "keys" USING btree ("workspace_id","created_at","id") WHERE "keys"."deleted_at" is null and "keys"."revoked_at" is not null;--> statement-breakpoint
CREATE INDEX "keys_disabled" ON "keys" USING btree ("workspace_id","created_at","id") WHERE "keys"."deleted_at" is null and "keys"."revoked_at" is null and not "keys"."enabled";--> statement-breakpoint
CREATE INDEX "keys_scheduled" ON "keys" USING btree ("workspace_id","created_at","id","not_before") WHERE "keys"."deleted_at" is null and "keys"."revoked_at" is null and "keys"."enabled" and "keys"."not_before" is not null;--> statement-breakpoint
CREATE INDEX "secrets_by_start" ON "secrets" USING btree ("start");--> statement-breakpoint
CREATE INDEX "keys_by_created" ON "keys" USING btree ("workspace_id","created_at","id","expires_at") WHERE "keys"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "keys_by_owner" ON "keys" USING btree ("workspace_id","owner_id","created_at","id") WHERE "keys"."deleted_at" is null;