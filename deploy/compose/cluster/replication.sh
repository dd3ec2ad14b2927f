# The postgres image runs this once, when it makes the database: one standby, which has every commit
# before it is acknowledged.
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password REPLICATION_PASSWORD
CREATE ROLE keyward_replication REPLICATION LOGIN PASSWORD :'password';
SELECT pg_create_physical_replication_slot('standby');
-- Holds from the next start on: the server that runs this script would wait for its standby for ever.
ALTER SYSTEM SET synchronous_standby_names = 'standby';
SQL
echo 'host replication keyward_replication all scram-sha-256' >> "$PGDATA/pg_hba.conf"
