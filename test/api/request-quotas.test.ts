import { createHash, randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { memoryBudget } from '../../src/lib/memory-budget.ts';
import { type Answer, type CallOptions, launchForTest } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();
let workspaceId = '';

/** A clock that was set back stands still: no second passes by itself, however slow the machine is. */
const STILL_MS = 600_000;
beforeAll(() => pair.advance(-STILL_MS));

function aSecondLater(): void {
  pair.advance(STILL_MS + 1000);
  for (const { service } of [pair.first, pair.second]) service.internals.clock.now();
  pair.advance(-STILL_MS);
}

beforeEach(async () => {
  workspaceId = `tenant-${randomUUID()}`;
  await putWorkspace(pair.first, workspaceId);
});

const root = (method: string, url: string, body?: object) =>
  pair.first.call(method, url, { ...(body && { body }) });
const callAs =
  (as: string) =>
  (method: string, url: string, options: CallOptions = {}) =>
    pair.first.call(method, url, { as, ...options });
const outcome = ({ status, body }: Answer) => `${status} ${body?.code ?? ''}`.trim();
const REFUSED = '429 TOO_MANY_REQUESTS';
const limit = (maxRequestsPerSecond: number | null) =>
  root('PATCH', `/v1/workspaces/${workspaceId}`, { maxRequestsPerSecond });

async function manager(options: object = {}) {
  return createManagementKey(pair.first, { permissions: PERMISSIONS, workspaceId, ...options });
}

const gateway = (key: string, mode = '') => ({
  as: null,
  headers: {
    'x-keyward-authorization': `Bearer ${key}${mode}`,
    authorization: 'Bearer nothing',
  },
});

function itemsOf(count: number) {
  return Array.from({ length: count }, (_, n) => {
    const value = createHash('sha256').update(`${workspaceId} ${n}`).digest('hex');
    return { name: `imported ${n}`, hash: { algorithm: 'sha256', value } };
  });
}

/** Every door that a caller has, as a call that is answered 200 while there is room. */
const DOORS: Record<string, (key: string) => Promise<Answer>> = {
  'a verification': (key) => callAs(key)('POST', '/v1/verify', { body: { key: 'unknown' } }),
  'a batch of verifications': (key) =>
    callAs(key)('POST', '/v1/verify/batch', { body: { requests: [{ key: 'unknown' }] } }),
  'an introspection': (key) =>
    callAs(key)('POST', '/v1/introspect', {
      body: 'token=unknown',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }),
  'a question of a gateway': (key) => pair.first.call('GET', '/v1/authorize', gateway(key)),
  whoami: (key) => callAs(key)('GET', '/v1/whoami'),
  'a list': (key) => callAs(key)('GET', '/v1/keys'),
  'an import': (key) => callAs(key)('POST', '/v1/keys/import', { body: { keys: itemsOf(1) } }),
  'a change': (key) =>
    callAs(key)('PATCH', `/v1/workspaces/${workspaceId}`, { body: { name: randomUUID() } }),
};

describe('the maximum of requests', () => {
  it.each(Object.entries(DOORS))(
    'beyond the requests a second of its workspace, %s is refused with 429, its code and Retry-After, until time has passed',
    async (_door, ask) => {
      const [{ key }, other] = [await manager(), await manager()];
      await limit(2);
      expect((await ask(key)).status).toBeLessThan(402);
      expect((await ask(other.key)).status).toBeLessThan(402);
      const refused = await ask(key);
      expect(outcome(refused)).toBe(REFUSED);
      expect(refused.headers['retry-after']).toBe('1');
      expect(outcome(await ask(other.key))).toBe(REFUSED);
      aSecondLater();
      expect((await ask(key)).status).toBeLessThan(402);
    },
  );

  it.each(Object.entries(DOORS))(
    'beyond the requests a second of a management key, %s is refused with 429 to this key alone',
    async (_door, ask) => {
      const [{ key }, other] = [await manager({ maxRequestsPerSecond: 1 }), await manager()];
      expect((await ask(key)).status).toBeLessThan(402);
      expect(outcome(await ask(key))).toBe(REFUSED);
      for (let n = 0; n < 4; n++) expect((await ask(other.key)).status).toBeLessThan(402);
      aSecondLater();
      expect((await ask(key)).status).toBeLessThan(402);
    },
  );

  it('each item of a batch counts as a request', async () => {
    const { key } = await manager({ maxRequestsPerSecond: 5 });
    const batch = (count: number) =>
      callAs(key)('POST', '/v1/verify/batch', {
        body: { requests: Array(count).fill({ key: 'unknown' }) },
      });
    expect((await batch(4)).status).toBe(200);
    expect(outcome(await batch(2))).toBe(REFUSED);
    aSecondLater();
    expect((await batch(5)).status).toBe(200);
    expect(outcome(await callAs(key)('GET', '/v1/whoami'))).toBe(REFUSED);
    aSecondLater();
    const tooMany = await batch(6);
    expect(outcome(tooMany)).toBe('400 INVALID_REQUEST');
    expect(tooMany.body.errors).toEqual([
      {
        pointer: '/body/requests',
        detail: 'must have at most 5 items: This management key may make 5 requests a second.',
      },
    ]);
  });

  it('each item of an import counts as a request, and one that is refused imports nothing', async () => {
    const { key } = await manager();
    await limit(3);
    const load = (count: number) =>
      callAs(key)('POST', '/v1/keys/import', { body: { keys: itemsOf(count) } });
    expect(outcome(await load(4))).toBe('400 INVALID_REQUEST');
    aSecondLater();
    expect((await root('GET', `/v1/keys?workspaceId=${workspaceId}`)).body.data).toEqual([]);
    expect((await load(3)).body.created).toBe(3);
    expect(outcome(await load(1))).toBe(REFUSED);
  });

  it('the items of an import that finds no room do not count, so that the next one passes in the same second', async () => {
    const memory = { ...memoryBudget(1024 ** 3), heldBodyBytes: 8000 };
    const instance = await launchForTest(pair.databaseUrl, { memory });
    const { key } = await manager({ maxRequestsPerSecond: 10 });
    const load = (fields: object) => {
      const keys = itemsOf(9).map((item) => ({ ...item, ...fields }));
      return instance.call('POST', '/v1/keys/import', { as: key, body: { keys } });
    };
    const now = Date.now();
    Object.defineProperty(instance.service.internals.clock, 'now', { value: () => now });
    expect(outcome(await load({ description: 'x'.repeat(1000) }))).toBe('503 OVERLOADED');
    expect((await load({})).body.created).toBe(9);
    expect(outcome(await load({}))).toBe(REFUSED);
  });

  it('to nginx, the maximum of the gateway itself is 503, with the code in a header', async () => {
    const { key } = await manager({ maxRequestsPerSecond: 1 });
    const ask = () => pair.first.call('GET', '/v1/authorize', gateway(key, '; mode=nginx'));
    expect((await ask()).status).toBe(401);
    const refused = await ask();
    expect(refused.status).toBe(503);
    expect(refused.headers['x-keyward-code']).toBe('TOO_MANY_REQUESTS');
    expect(refused.headers['retry-after']).toBe('1');
  });

  it('a caller beyond its maximum still revokes, deletes, ends a grace period and suspends', async () => {
    const { id, key } = await manager({ maxRequestsPerSecond: 1 });
    const other = await manager();
    const made = await Promise.all([1, 2, 3].map(() => createKey(pair.first, { workspaceId })));
    const [one, two, three] = made.map((it) => it.id);
    const ask = callAs(key);
    expect((await ask('GET', '/v1/keys')).status).toBe(200);
    expect(outcome(await ask('GET', '/v1/keys'))).toBe(REFUSED);
    const answers = [
      await ask('POST', `/v1/keys/${one}/revoke`, { body: {} }),
      await ask('POST', '/v1/keys/bulk-revoke', { body: { ids: [two, three] } }),
      await ask('DELETE', `/v1/keys/${two}`),
      await ask('DELETE', `/v1/keys/${three}/retiring-secret`),
      await ask('POST', `/v1/management-keys/${other.id}/revoke`, { body: {} }),
      await ask('POST', `/v1/workspaces/${workspaceId}/suspend`, { body: {} }),
      await ask('POST', '/v1/whoami/revoke'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 204, 204, 200, 200, 204]);
    expect((await root('GET', `/v1/management-keys/${id}`)).body.status).toBe('revoked');
  });

  it('holders of keys and callers for all workspaces do not count for a workspace', async () => {
    const { key } = await manager();
    const { key: held } = await createKey(pair.first, { workspaceId });
    const everywhere = await createManagementKey(pair.first, {
      permissions: PERMISSIONS,
      workspaceId: null,
    });
    await limit(1);
    for (let n = 0; n < 3; n++) {
      expect((await callAs(held)('GET', '/v1/whoami')).status).toBe(200);
      const read = await callAs(everywhere.key)('GET', `/v1/keys?workspaceId=${workspaceId}`);
      expect(read.status).toBe(200);
    }
    expect((await callAs(key)('GET', '/v1/keys')).status).toBe(200);
  });

  it('a maximum that is raised or taken away is in force on every instance once that is answered', async () => {
    const { id, key } = await manager({ maxRequestsPerSecond: 1 });
    const ask = () => pair.second.call('POST', '/v1/verify', { as: key, body: { key: 'unknown' } });
    expect((await ask()).status).toBe(200);
    expect(outcome(await ask())).toBe(REFUSED);
    await root('PATCH', `/v1/management-keys/${id}`, { maxRequestsPerSecond: null });
    for (let n = 0; n < 3; n++) expect((await ask()).status).toBe(200);
  });

  it('a request beyond the maximum is refused at its headers, before its body is judged', async () => {
    const { key } = await manager({ maxRequestsPerSecond: 1 });
    expect((await callAs(key)('GET', '/v1/keys')).status).toBe(200);
    for (const url of ['/v1/keys', '/v1/verify', '/v1/verify/batch', '/v1/keys/import']) {
      expect(outcome(await callAs(key)('POST', url, { body: { nonsense: true } }))).toBe(REFUSED);
    }
  });

  it('a workspace named like a management key has a bucket of its own', async () => {
    const { id } = await manager({ maxRequestsPerSecond: 1 });
    await putWorkspace(pair.first, id, { maxRequestsPerSecond: 1 });
    const bound = await manager({ workspaceId: id });
    const named = await manager({ workspaceId: id, maxRequestsPerSecond: 1 });
    expect((await callAs(bound.key)('GET', '/v1/keys')).status).toBe(200);
    expect(outcome(await callAs(named.key)('GET', '/v1/keys'))).toBe(REFUSED);
  });
});
