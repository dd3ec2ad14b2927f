-- For the hygiene report: each section follows one of these, or one that lists have. Those of `keys` leave
-- out what is revoked or deleted, which piles up.
-- Keys that were never used have an index of their own, in whose order all of them stand.
DROP INDEX "key_usage_by_day";--> statement-breakpoint
CREATE INDEX "key_usage_never" ON "key_usage" USING btree ("workspace_id","key_id") WHERE "key_usage"."last_used_day" is null;--> statement-breakpoint
CREATE INDEX "keys_living" ON "keys" USING btree ("workspace_id","id","created_at","expires_at") WHERE "keys"."deleted_at" is null and "keys"."revoked_at" is null;--> statement-breakpoint
CREATE INDEX "keys_living_by_expiry" ON "keys" USING btree ("workspace_id",coalesce("expires_at", 'infinity'::timestamptz),"id") WHERE "keys"."deleted_at" is null and "keys"."revoked_at" is null;--> statement-breakpoint
CREATE INDEX "keys_all_scopes" ON "keys" USING btree ("workspace_id","created_at","id","expires_at") WHERE "keys"."deleted_at" is null and "keys"."revoked_at" is null and "keys"."scopes" @> '{*}'::text[];--> statement-breakpoint
CREATE INDEX "keys_many_scopes" ON "keys" USING btree ("workspace_id",(- cardinality("scopes")),"id") WHERE "keys"."deleted_at" is null and "keys"."revoked_at" is null and cardinality("keys"."scopes") > 5;--> statement-breakpoint
CREATE INDEX "keys_owner_state" ON "keys" USING btree ("workspace_id","owner_id","revoked_at","enabled","expires_at") WHERE "keys"."deleted_at" is null and "keys"."owner_id" is not null;--> statement-breakpoint
CREATE INDEX "secrets_current" ON "secrets" USING btree ("workspace_id","created_at","key_id") WHERE "secrets"."status" = 'current';--> statement-breakpoint
CREATE INDEX "secrets_imported" ON "secrets" USING btree ("workspace_id","created_at","key_id") WHERE "secrets"."status" = 'current' and position('@' in "secrets"."ref") > 0;--> statement-breakpoint
CREATE INDEX "secrets_retiring" ON "secrets" USING btree ("workspace_id","valid_until","key_id") WHERE "secrets"."status" = 'retiring';--> statement-breakpoint
CREATE INDEX "key_usage_by_day" ON "key_usage" USING btree ("workspace_id","last_used_day","key_id") WHERE "key_usage"."last_used_day" is not null;