import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createWebhook } from '../support/webhook-calls.ts';

const pair = usePair();

const LISTS: [list: string, table: string][] = [
  ['/v1/keys', 'keys'],
  ['/v1/audit-events', 'audit_events'],
  ['/v1/audit-events?workspaceId=*', 'audit_events'],
  ['/v1/alerts', 'alerts'],
  ['/v1/webhooks/:id/deliveries', 'webhook_deliveries'],
];

it.each(LISTS)(
  '%s that takes too long is 422 without Retry-After, so that no client repeats it, and its connection is kept',
  async (list, table) => {
    const { id } = await createWebhook(pair.first);
    const path = list.replace(':id', id);
    const { database } = pair.first.service.internals;
    let lost = 0;
    database.onConnectionLoss(() => lost++);
    const holder = await connect(pair.databaseUrl);
    await holder.query(`begin; lock table ${table} in access exclusive mode`);

    let isAnswered = false;
    const listing = pair.first.call('GET', path).finally(() => {
      isAnswered = true;
    });
    // As the server does itself after statement_timeout.
    const cancel = `select pg_cancel_backend(pid) from pg_stat_activity
                     where wait_event_type = 'Lock' and datname = current_database()`;
    while (!isAnswered) await holder.query(cancel);
    const answer = await listing;
    await holder.query('rollback');

    expectProblem(answer, { status: 422, code: 'QUERY_TOO_BROAD' });
    expect(answer.headers['retry-after']).toBeUndefined();
    expect(lost).toBe(0);
    expect((await pair.first.call('GET', path)).status).toBe(200);
  },
);
