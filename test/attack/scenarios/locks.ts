import type { Attack } from '../harness/attack.ts';
import type { Scenario } from '../scenario.ts';
import { createKey, seedAttackerKeys } from './key-material.ts';

/** Rows of the attacker's workspace stay locked: only calls that need these rows may wait. */
const HELD_MS = 3000;
const BULK = 1000;
const BULKS = 4;

const byBulkRevocations: Scenario = {
  group: 'tenant',
  name: 'locks/bulk-revocations',
  does: 'four revocations of 1000 keys beside a change of credits and a verification of one key',
  setUp: async (env, site) => {
    const made = await seedAttackerKeys(env, site, BULK * BULKS);
    const { id, key } = await createKey(env, site, { credits: { remaining: 1_000_000 } });
    return { ids: made.map((one) => one.id), spent: [id, key] };
  },
  attack: async (attack) => {
    const { ids = [], spent = [] } = attack.given;
    const bulk = attack.repeat({ connections: BULKS }, async (count) => {
      const from = (count % BULKS) * BULK;
      const body = { ids: [...ids.slice(from, from + BULK - 1), spent[0]] };
      await attack.send({ path: '/v1/keys/bulk-revoke', body: { ...body, dryRun: count > 7 } });
    });
    const spend = attack.hammer({ connections: 10, perSecond: 50 }, (count) =>
      count % 2 === 0
        ? { path: `/v1/keys/${spent[0]}/credits`, body: { operation: 'add', amount: 1 } }
        : { path: '/v1/verify', body: { key: spent[1] } },
    );
    await Promise.all([bulk, spend]);
  },
};

/** A statement that locks rows of the attacker's: `$1` is its workspace, `$2` its key. */
const LOCKED: [variant: string, does: string, statement: string][] = [
  [
    'consumption',
    'the credits of one key',
    `select from key_consumption where key_id = $2 and $1 <> '' for update`,
  ],
  [
    'audit-head',
    'the head of its audit log',
    `select from audit_heads where workspace_id = $1 and $2 <> '' for update`,
  ],
  ['key', 'one key', `select from keys where workspace_id = $1 and id = $2 for update`],
  [
    'secret',
    'the secret of one key',
    `select from secrets where workspace_id = $1 and key_id = $2 for update`,
  ],
  ['workspace', 'the workspace', `select from workspaces where id = $1 and $2 <> '' for update`],
  [
    'usage',
    'the counters of one key',
    `select from key_usage where key_id = $2 and $1 <> '' for update`,
  ],
];

const byHand = LOCKED.map(
  ([variant, does, statement]): Scenario => ({
    group: 'tenant',
    name: `locks/${variant}`,
    does: `holds ${does} locked for seconds, and calls what needs it`,
    setUp: async (env, site) => {
      const { id, key } = await createKey(env, site, { credits: { remaining: 1_000_000 } });
      await env.must('POST', '/v1/verify', { key });
      // The counters of the key have a row once they were written.
      await new Promise((resolve) => setTimeout(resolve, 1200));
      return { ids: [id], keys: [key] };
    },
    attack: async (attack) => {
      await Promise.all([holdLocked(attack, statement), callLocked(attack)]);
    },
  }),
);

function holdLocked(attack: Attack, statement: string): Promise<void> {
  return attack.sql(async (client) => {
    const values = [attack.target.workspaceId, attack.given.ids?.[0]];
    while (!attack.signal.aborted) {
      await client.query('begin');
      await client.query(statement, values);
      await attack.pause(HELD_MS);
      await client.query('rollback');
      await attack.pause(200);
    }
  });
}

function callLocked(attack: Attack): Promise<void> {
  const id = attack.given.ids?.[0];
  const key = attack.given.keys?.[0];
  const calls = [
    { path: '/v1/verify', body: { key } },
    { path: '/v1/verify/batch', body: { requests: [{ key }] } },
    { path: `/v1/keys/${id}/credits`, body: { operation: 'add', amount: 1 } },
    { path: `/v1/keys/${id}`, method: 'PATCH', body: { description: 'changed' } },
    { path: '/v1/keys', body: { name: 'one more' } },
  ] as const;
  return attack.hammer({ connections: 40, perSecond: 40 }, (count) => {
    const call = calls[count % calls.length] ?? calls[0];
    return call;
  });
}

export const LOCKS: readonly Scenario[] = [byBulkRevocations, ...byHand];
