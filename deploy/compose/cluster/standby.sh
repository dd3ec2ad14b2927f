# A standby: copies the primary at its first start, and follows it from then on.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  pg_basebackup --pgdata "$PGDATA" --checkpoint fast --write-recovery-conf --slot standby \
    --dbname 'host=primary user=keyward_replication application_name=standby'
fi
# The setting was copied along; once promoted, this server has no standby to wait for.
exec postgres -c synchronous_standby_names=
