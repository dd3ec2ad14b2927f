import { spawnSync } from 'node:child_process';
import type { Evidence } from '../history.ts';
import { REQUEST_ID_PREFIX, WORKSPACE_PREFIX } from './attackers.ts';
import { SECRET } from './instance.ts';
import type { Postgres } from './server.ts';

type Database = Pick<Postgres, 'url' | 'query'>;

/** Reads the evidence from the database after all instances have stopped. */
export async function readEvidence(postgres: Database, main: string): Promise<Evidence[]> {
  const [audit, counts, balances] = [
    await readAudit(postgres),
    await readCounts(postgres),
    await readBalances(postgres),
  ];
  const deliveries = await readDeliveries(postgres);
  return [...audit, ...counts, ...balances, ...deliveries, verifyChain(postgres.url, main)];
}

/** Without the changes of the attackers, whose calls are not in the history. */
async function readAudit(postgres: Database): Promise<Evidence[]> {
  const rows = await postgres.query<{ payload: string; sequence: string }>(
    `select payload, sequence from audit_events
      where not starts_with(payload::jsonb ->> 'requestId', $1)
        and not starts_with(workspace_id, $2) order by workspace_id, sequence`,
    [REQUEST_ID_PREFIX, WORKSPACE_PREFIX],
  );
  return rows.map(({ payload, sequence }) => {
    const entry: Payload = JSON.parse(payload);
    return {
      type: 'audit',
      eventId: entry.id,
      isOwn: entry.actor.type === 'system',
      workspaceId: entry.workspaceId,
      sequence: Number(sequence),
      time: Date.parse(entry.time),
      requestId: entry.requestId,
      action: entry.action,
      targetId: entry.target.id,
      creditsBefore: entry.before?.credits ?? null,
      creditsAfter: entry.after?.credits ?? null,
    };
  });
}

interface Payload {
  id: string;
  actor: { type: string };
  workspaceId: string;
  time: string;
  requestId: string;
  action: string;
  target: { id: string };
  before: { credits?: number } | null;
  after: { credits?: number } | null;
}

async function readCounts(postgres: Database): Promise<Evidence[]> {
  await foldLog(postgres);
  const rows = await postgres.query<{ ref: string; code: string; count: string }>(
    `select secret_ref as ref, code, sum(count) as count
       from (select secret_ref, code, count from usage_recent
             union all select secret_ref, code, count from usage_days) as u group by 1, 2`,
  );
  return rows.map(({ ref, code, count }) => ({ type: 'count', ref, code, count: Number(count) }));
}

/** What the instances have flushed before their end and no longer folded. */
async function foldLog(postgres: Database): Promise<void> {
  const rows = await postgres.query<{ shard: number }>('select distinct shard from usage_log');
  for (const { shard } of rows) {
    await postgres.query('select fold_usage_log($1, 1000000, false)', [shard]);
  }
}

async function readBalances(postgres: Database): Promise<Evidence[]> {
  const rows = await postgres.query<{ id: string; credits: string | null }>(
    'select key_id as id, credits from key_consumption',
  );
  return rows.map(({ id, credits }) => ({
    type: 'balance',
    keyId: id,
    credits: credits === null ? null : Number(credits),
  }));
}

async function readDeliveries(postgres: Database): Promise<Evidence[]> {
  const rows = await postgres.query<{
    event_id: string;
    subject: string;
    position: string;
    status: string;
  }>('select event_id, subject, position, status from webhook_deliveries order by position');
  return rows.map(({ event_id, subject, position, status }) => ({
    ...{ type: 'delivery', eventId: event_id, subject, position: Number(position), status },
  }));
}

/** Checks the audit chain with the command for operators. */
function verifyChain(databaseUrl: string, main: string): Evidence {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'audit', 'verify'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl, KEYWARD_SECRET: SECRET },
  });
  return { type: 'chain', intact: status === 0, said: `${stdout}${stderr}`.trim().slice(0, 500) };
}
