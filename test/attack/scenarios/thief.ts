import { forgeKey, partsOf } from '../../support/forged-key.ts';
import type { Attack } from '../harness/attack.ts';
import type { Scenario } from '../scenario.ts';
import { checksumKeyOf } from './forged.ts';
import { createKey } from './key-material.ts';

/** A thief holds the database role of the service, and writes to the victim's own rows. */
const AGAIN_MS = 300;

/** `$1` is the victim's workspace. */
const BROKEN_LOGS: [variant: string, does: string, statement: string][] = [
  [
    'entry-ahead',
    'inserts an entry where the next one of the victim belongs',
    `insert into audit_events (workspace_id, sequence, payload, hash)
     select workspace_id, sequence + 1, '{}', 'x' from audit_heads where workspace_id = $1
     on conflict do nothing`,
  ],
  [
    'many-entries-ahead',
    'inserts the next 200 entries of the victim',
    `insert into audit_events (workspace_id, sequence, payload, hash)
     select workspace_id, sequence + step, '{}', 'x'
       from audit_heads, generate_series(1, 200) as step where workspace_id = $1
     on conflict do nothing`,
  ],
  [
    'head-back',
    "sets the head of the victim's log back",
    'update audit_heads set sequence = greatest(0, sequence - 3) where workspace_id = $1',
  ],
  [
    'head-ahead',
    "sets the head of the victim's log ahead",
    'update audit_heads set sequence = sequence + 10 where workspace_id = $1',
  ],
  [
    'head-hash',
    "writes nonsense into the head of the victim's log",
    `update audit_heads set hash = 'x' where workspace_id = $1`,
  ],
];

const brokenLogs = BROKEN_LOGS.map(
  ([variant, does, statement]): Scenario => ({
    group: 'thief',
    name: `broken-log/${variant}`,
    does,
    attack: (attack) => again(attack, statement, [attack.target.victim.workspaceId]),
  }),
);

/** Repeats a statement in the role of the service; what it refuses is counted. */
function again(attack: Attack, statement: string, values: unknown[]): Promise<void> {
  return attack.sql(async (client) => {
    while (!attack.signal.aborted) {
      const outcome = await client.query(statement, values).then(
        ({ rowCount }) => `wrote ${rowCount} rows`,
        (error: { code?: string }) => `refused ${error.code}`,
      );
      attack.tally.set(outcome, (attack.tally.get(outcome) ?? 0) + 1);
      attack.begin();
      await attack.pause(AGAIN_MS);
    }
  }, true);
}

const refAsHash: Scenario = {
  group: 'thief',
  name: 'secrets/ref-as-hash',
  does: 'writes the ref of a native key where its hash is, as if it had been imported',
  attack: (attack) =>
    again(attack, 'update secrets set hash = ref where key_id = $1', [
      attack.target.victim.spare.id,
    ]),
  check: async (env, { victim }) => {
    const { prefix, ref } = partsOf(victim.spare.key);
    const forged = forgeKey(prefix, ref, await checksumKeyOf(env));
    const { body } = await env.call('POST', '/v1/verify', { key: forged });
    const genuine = await env.call('POST', '/v1/verify', { key: victim.spare.key });
    return [
      ...(body.code === 'VALID' ? ['a forged string of the key was VALID'] : []),
      ...(genuine.body.code === 'VALID' ? [] : ['the true string is no longer VALID']),
    ];
  },
};

/** `$1` is the attacker's workspace. */
const BROKEN_ROWS = [
  `update secrets set hash = 'nonsense' where workspace_id = $1`,
  `update keys set metadata = '[1]' where workspace_id = $1`,
  `update keys set allowed_ips = '{nonsense}' where workspace_id = $1`,
  `update keys set refill_interval = 'daily', refill_amount = null where workspace_id = $1`,
];

const brokenRows: Scenario = {
  group: 'thief',
  name: 'broken-rows/keys',
  does: 'writes nonsense into rows of keys, which are then verified beside others, in batches too',
  setUp: async (env, site) => {
    const made = await Promise.all(Array.from({ length: 10 }, () => createKey(env, site)));
    return { keys: made.map(({ key }) => key) };
  },
  attack: async (attack) => {
    const { keys = [] } = attack.given;
    const { workspaceId } = attack.target;
    const verify = attack.hammer({ connections: 20, perSecond: 100 }, (count) => ({
      path: '/v1/verify/batch',
      body: { requests: keys.slice(count % 5).map((key) => ({ key })) },
    }));
    const broken = BROKEN_ROWS.map((statement) => again(attack, statement, [workspaceId]));
    await Promise.all([...broken, verify]);
  },
};

export const THIEF: readonly Scenario[] = [...brokenLogs, refAsHash, brokenRows];
