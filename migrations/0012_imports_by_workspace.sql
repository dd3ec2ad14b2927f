-- An imported digest belongs to the workspace that imported it: its ref says which.
UPDATE secret_proofs p SET ref = s.ref || '@' || s.workspace_id
  FROM secrets s WHERE s.ref = p.ref AND position(':' in s.ref) > 0;
--> statement-breakpoint
UPDATE secret_usage u SET secret_ref = s.ref || '@' || s.workspace_id
  FROM secrets s WHERE s.ref = u.secret_ref AND position(':' in s.ref) > 0;
--> statement-breakpoint
UPDATE usage_hourly u SET secret_ref = s.ref || '@' || s.workspace_id
  FROM secrets s
 WHERE s.key_id = u.key_id AND s.ref = u.secret_ref AND position(':' in s.ref) > 0;
--> statement-breakpoint
UPDATE secrets SET ref = ref || '@' || workspace_id WHERE position(':' in ref) > 0;
--> statement-breakpoint
INSERT INTO change_feed (kind, id) VALUES ('everything', '');
--> statement-breakpoint
ALTER TABLE "secrets" ADD CONSTRAINT "secrets_imported_ref" CHECK (position(':' in "secrets"."ref") = 0 or position('@' in "secrets"."ref") > 0);
--> statement-breakpoint
CREATE INDEX "secrets_by_digest" ON "secrets" USING btree (split_part("ref", '@', 1)) WHERE position('@' in "secrets"."ref") > 0;
--> statement-breakpoint

-- A proof belongs to the hash that its string was verified against.
ALTER TABLE "secret_proofs" ADD COLUMN "hash_digest" "bytea";
--> statement-breakpoint
UPDATE secret_proofs p SET hash_digest = sha256(convert_to(s.hash, 'UTF8'))
  FROM secrets s WHERE s.ref = p.ref;
