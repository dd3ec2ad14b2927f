ALTER TABLE "management_keys" ADD COLUMN "rotated_by" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
CREATE INDEX "management_keys_by_maker" ON "management_keys" USING btree (("created_by" ->> 'id'));--> statement-breakpoint
CREATE INDEX "management_keys_by_rotator" ON "management_keys" USING gin ("rotated_by");