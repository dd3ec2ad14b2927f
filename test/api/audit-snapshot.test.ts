import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { appendAudit } from '../../src/audit/append.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import { checkAuditLog, writeLog } from '../support/audit-log.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, TEST_SECRET } from '../support/instance.ts';

const ENTRIES = 5;

let database: TestDatabase;
let instance: Instance;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

/** Until the verification waits for a table that a writer has locked. */
async function untilItWaits(client: pg.Client): Promise<void> {
  const waiting = `select from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await client.query(waiting)).rowCount === 0);
}

it.each(['audit_heads', 'audit_events'])(
  'a log that grows while it is verified is intact: all is read from one snapshot (waiting for %s)',
  async (table) => {
    const workspaceId = `grows-${table}`;
    await writeLog(instance, workspaceId, ENTRIES);
    const watcher = await connect(database.url);
    const verification = await connect(database.url);
    const { orm } = instance.service.internals.database;
    const target = { type: 'workspace', id: workspaceId } as const;
    const changed = { action: 'workspace.updated', before: null, after: null } as const;
    const entry = { workspaceId, target, ...changed };
    const actor = { type: 'system', id: 'test', onBehalfOf: null } as const;
    const origin = { actor, requestId: 'req_1', ip: null };

    const verdict = await orm.transaction(async (tx) => {
      await tx.execute(`lock table ${table} in access exclusive mode`);
      const asked = checkAuditLog(verification, workspaceId);
      await untilItWaits(watcher);
      await appendAudit(tx, [entry], origin, new Date(), new Pepper(TEST_SECRET));
      return { asked };
    });
    expect(await verdict.asked).toMatchObject({ problem: null, entries: ENTRIES });
    expect(await checkAuditLog(verification, workspaceId)).toMatchObject({
      problem: null,
      entries: ENTRIES + 1,
    });
  },
);
