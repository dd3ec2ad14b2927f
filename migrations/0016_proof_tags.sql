-- Shows that a proof was stored by the service and not by someone who can write its row: only such a
-- one is believed where a string does not match it.
ALTER TABLE "secret_proofs" ADD COLUMN "tag" bytea;
