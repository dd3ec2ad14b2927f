#!/bin/sh
# Makes .env for docker-compose.yml, deploy/compose and deploy/observability: random secrets, readable by its
# owner alone. What it has already stays, because the database was made with it.
set -eu
cd "$(dirname "$0")/.."
umask 077
touch .env
chmod 600 .env
# A last line without its end would swallow the next.
[ -z "$(tail -c 1 .env)" ] || echo >> .env

made=
for name in OWNER_PASSWORD RUNTIME_PASSWORD REPLICATION_PASSWORD KEYWARD_ROOT_KEY KEYWARD_SECRET \
  KEYWARD_METRICS_TOKEN GRAFANA_PASSWORD; do
  if grep -q "^$name=" .env; then continue; fi
  printf '%s=%s\n' "$name" "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >> .env
  made="$made $name"
done

if [ -n "$made" ]; then
  echo "Made in .env:$made."
else
  echo '.env has every secret already; nothing was changed.'
fi
