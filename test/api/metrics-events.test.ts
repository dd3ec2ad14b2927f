import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { heapLimit, memoryBudget } from '../../src/lib/memory-budget.ts';
import { OverloadError, SHED_REASONS } from '../../src/lib/overload-error.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, launchForTest } from '../support/instance.ts';
import { metric, metrics } from '../support/metrics.ts';
import { putWorkspace } from '../support/pair.ts';
import { listen, RawConnection } from '../support/raw-http.ts';
import { createKey, verdict, verify } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { warmKey } from '../support/warm.ts';

let database: TestDatabase;
let instance: Instance;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
});
beforeEach(async () => {
  client = await connect(database.url);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

/** By how much something moves a metric; a series that did not exist was 0. */
async function change(name: string, work: () => Promise<unknown>, of = instance): Promise<number> {
  const before = (await metrics(of)).get(name) ?? 0;
  await work();
  return (await metric(of, name)) - before;
}

const own = () => instance.service.internals.database;
const warm = async (more: object = {}) => {
  const { key } = await createKey(instance, more);
  await warmKey(key, instance);
  return key;
};
/** Queries of one name fail, or are answered otherwise, while something is done. */
async function whileIntercepted(
  name: string,
  answer: (rows: object[]) => unknown,
  work: () => Promise<unknown>,
) {
  const restore = interceptQuery(own(), name, async (send) => {
    const rows = await send();
    answer(rows);
    return rows;
  });
  await work().finally(restore);
}

function fail(): never {
  throw Object.assign(new Error('lost'), { code: 'ECONNRESET' });
}

const verifyAnew = async () => verify(instance, (await createKey(instance)).key);
/** A failed fence has callers refused for a moment, and the next one resets. */
const settled = () => expect.poll(() => verdict(instance, 'unknown')).toBe('NOT_FOUND');
const asRow = (row: object | undefined) => Object(row);
const resets = (reason: string) => `keyward_cache_resets_total{reason="${reason}"}`;

/** What happens, the metric that counts it, and how it is made to happen once, prepared first. */
const CASES: [what: string, name: string, prepare: () => Promise<() => Promise<unknown>>][] = [
  [
    'a verification that memory answers before its handler',
    'keyward_http_requests_total{route="/v1/verify",method="POST",status="200"}',
    async () => {
      const key = await warm();
      return () => verify(instance, key);
    },
  ],
  [
    'a verification that memory answers before its handler',
    'keyward_verification_duration_seconds_count{route="verify"}',
    async () => {
      const key = await warm();
      return () => verify(instance, key);
    },
  ],
  [
    'a refused caller',
    'keyward_http_requests_total{route="/v1/verify",method="POST",status="401"}',
    async () => () => instance.call('POST', '/v1/verify', { as: 'nobody', body: { key: 'x' } }),
  ],
  [
    'a path that is no route',
    'keyward_http_requests_total{route="none",method="GET",status="404"}',
    async () => () => instance.call('GET', '/nothing-is-here'),
  ],
  [
    'a batch',
    'keyward_verification_duration_seconds_count{route="batch"}',
    async () => () =>
      instance.call('POST', '/v1/verify/batch', { body: { requests: [{ key: 'unknown' }] } }),
  ],
  [
    'a valid key',
    'keyward_verdicts_total{code="VALID"}',
    async () => {
      const key = await warm();
      return () => verify(instance, key);
    },
  ],
  [
    'an unknown key',
    'keyward_verdicts_total{code="NOT_FOUND"}',
    async () => () => verify(instance, 'unknown'),
  ],
  [
    'an item of a batch',
    'keyward_verdicts_total{code="NOT_FOUND"}',
    async () => () =>
      instance.call('POST', '/v1/verify/batch', { body: { requests: [{ key: 'unknown' }] } }),
  ],
  [
    'a fence',
    'keyward_fences_total',
    async () => {
      const key = await warm();
      return () => verify(instance, key);
    },
  ],
  [
    'a fence',
    'keyward_fence_duration_seconds_count',
    async () => {
      const key = await warm();
      return () => verify(instance, key);
    },
  ],
  [
    'a fence that fails',
    'keyward_fence_failures_total',
    async () => () => whileIntercepted('fence', fail, () => verify(instance, 'unknown')),
  ],
  [
    'another run of Postgres',
    resets('other_run'),
    async () => {
      await settled();
      await client.query('update incarnation set id = gen_random_uuid()');
      return () => verify(instance, 'unknown');
    },
  ],
  [
    'a lost connection',
    resets('connection_lost'),
    async () => {
      await whileIntercepted('fence', fail, () => verify(instance, 'unknown'));
      await expect.poll(() => instance.service.internals.fence.isDown).toBe(false);
      return () => verify(instance, 'unknown');
    },
  ],
  ...(['went_back', 'pruned'] as const).map((reason): (typeof CASES)[number] => [
    `a database whose feed says ${reason}`,
    resets(reason),
    async () => {
      await settled();
      await client.query('select pg_current_xact_id()');
      // Of one fence alone: what others commit meanwhile has the next one ask as well.
      const reasons = [reason];
      const say = ([row]: object[]) => {
        const said = reasons.pop();
        return said ? Object.assign(asRow(row), { [said]: true }) : row;
      };
      return () => whileIntercepted('read_changes', say, () => verify(instance, 'unknown'));
    },
  ]),
  ['a key that is not in memory', 'keyward_cache_misses_total', async () => verifyAnew],
  ['a key that is not in memory', 'keyward_credential_loads_total', async () => verifyAnew],
  [
    'a key in memory',
    'keyward_cache_hits_total',
    async () => {
      const key = await warm();
      return () => verify(instance, key);
    },
  ],
  ['a new key', 'keyward_argon2_runs_total', async () => () => createKey(instance)],
  [
    'a new key',
    'keyward_argon2_wait_seconds_count{lane="issuance"}',
    async () => () => createKey(instance),
  ],
  [
    'counters that are written',
    'keyward_usage_flushes_total',
    async () => {
      await instance.flush();
      await verify(instance, 'unknown');
      return () => instance.flush();
    },
  ],
  [
    'a write of counters that fails',
    'keyward_usage_flush_failures_total',
    async () => {
      await instance.flush();
      await verify(instance, 'unknown');
      return () =>
        whileIntercepted('append_usage_log', fail, () => instance.flush().catch(() => {}));
    },
  ],
  [
    'a counter that is folded',
    'keyward_usage_folded_counters_total',
    async () => {
      const key = await warm();
      await instance.flush();
      await verify(instance, key);
      return () => instance.flush();
    },
  ],
  [
    'a fold that fails',
    'keyward_usage_fold_failures_total',
    async () => {
      const { fold, database: it } = instance.service.internals;
      const { transaction } = it.dataOrm;
      return async () => {
        it.dataOrm.transaction = async () => fail();
        await fold.run();
        it.dataOrm.transaction = transaction;
      };
    },
  ],
  [
    'a key with credits',
    'keyward_quota_statements_total',
    async () => {
      const key = await warm({ credits: { remaining: 100 } });
      return () => verify(instance, key);
    },
  ],
  [
    'a key with credits',
    'keyward_quota_batch_items_total',
    async () => {
      const key = await warm({ credits: { remaining: 100 } });
      return () => verify(instance, key);
    },
  ],
  [
    'a key whose row is locked at the first attempt',
    'keyward_quota_conflicts_total',
    async () => {
      const key = await warm({ credits: { remaining: 100 } });
      let isLocked = true;
      const lockOnce = ([row]: object[]) => {
        if (!isLocked) return;
        isLocked = false;
        const answer = JSON.parse(asRow(row).answer);
        Object.assign(asRow(row), { answer: JSON.stringify({ ...answer, codes: [3] }) });
      };
      return () => whileIntercepted('consume_limits', lockOnce, () => verify(instance, key));
    },
  ],
  [
    'a denial that is remembered',
    'keyward_quota_denials_recalled_total',
    async () => {
      const { key } = await createKey(instance, { credits: { remaining: 0 } });
      await verify(instance, key);
      await verify(instance, key);
      return () => verify(instance, key);
    },
  ],
];

it.each(CASES)('%s moves %s by one', async (_what, name, prepare) => {
  const work = await prepare();
  expect(await change(name, work)).toBe(1);
});

it('an instance has one reset, for its first fence, when it has just started', async () => {
  const fresh = await launchForTest(database.url);
  expect(await metric(fresh, resets('first'))).toBe(1);
});

it('an answer from memory while the database is away moves keyward_stale_answers_total by one', async () => {
  const proxy = await TcpProxy.open(database.url);
  const behind = await launchForTest(proxy.url, { staleIfErrorMs: 60_000 });
  const { key } = await createKey(behind);
  await warmKey(key, behind);
  proxy.cut();
  const stale = () => verify(behind, key);
  expect(await change('keyward_stale_answers_total', stale, behind)).toBe(1);
});

const shed = (reason: string) => `keyward_shed_requests_total{reason="${reason}"}`;
const OF_ERRORS = SHED_REASONS.filter((reason) => reason !== 'rate' && reason !== 'connections');

it.each(OF_ERRORS)(
  'a request that is refused because of %s counts as shed for that',
  async (reason) => {
    const { key } = await createKey(instance, { credits: { remaining: 100 } });
    const refuse = () => {
      throw new OverloadError(reason, 'full');
    };
    const asked = () =>
      whileIntercepted('consume_limits', refuse, async () => {
        expect((await verify(instance, key)).body.code).toBe('OVERLOADED');
      });
    expect(await change(shed(reason), asked)).toBe(1);
  },
);

it('a call beyond the rate of its caller counts as shed for its rate', async () => {
  await putWorkspace(instance, 'limited');
  await instance.call('PATCH', '/v1/workspaces/limited', { body: { maxRequestsPerSecond: 1 } });
  const made = await instance.call('POST', '/v1/management-keys', {
    body: { name: 'limited', workspaceId: 'limited', permissions: ['keys:verify'] },
  });
  const ask = () => instance.call('POST', '/v1/verify', { as: made.body.key, body: { key: 'x' } });
  const untilRefused = async () => {
    for (let status = 0; status !== 429; ) ({ status } = await ask());
  };
  expect(await change(shed('rate'), untilRefused)).toBe(1);
});

it('a connection beyond the bound counts as shed', async () => {
  const small = await launchForTest(database.url, { maxConnectionsPerAddress: 1 });
  const port = await listen(small);
  const first = await RawConnection.open(port);
  onTestFinished(() => first.destroy());
  const second = async () => (await RawConnection.open(port)).untilEnded();
  expect(await change(shed('connections'), second, small)).toBe(1);
});

it('a verification without room for its counter counts as shed for counters, and as no verdict', async () => {
  const memory = { ...memoryBudget(heapLimit()), counters: 1 };
  const small = await launchForTest(database.url, { memory });
  const { key } = await createKey(small);
  expect(await verdict(small, 'unknown')).toBe('NOT_FOUND');
  const refused = () => verify(small, key);
  expect(await change(shed('counters'), refused, small)).toBe(1);
  expect(await metric(small, 'keyward_verdicts_total{code="VALID"}')).toBe(0);
});
