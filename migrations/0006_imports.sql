CREATE TABLE "imported_algorithms" (
	"algorithm" text PRIMARY KEY NOT NULL
);
