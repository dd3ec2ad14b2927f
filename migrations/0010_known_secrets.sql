CREATE TABLE "known_secrets" (
	"id" text PRIMARY KEY NOT NULL,
	"last_used_at" timestamp (3) with time zone NOT NULL
);
