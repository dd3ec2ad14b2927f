import { beforeAll, describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { insertAlert } from '../support/alerts.ts';
import type { CallOptions } from '../support/instance.ts';
import { MUTATING_CALLS } from '../support/mutating-calls.ts';
import { OTHERWISE_AUTHENTICATED, operationsOf, PERMISSION_OF } from '../support/operations.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verify } from '../support/sql-keys.ts';
import { createWebhook } from '../support/webhook-calls.ts';

/** The things of one workspace that calls name. */
interface Things {
  workspaceId: string;
  key: { id: string; key: string };
  manager: { id: string; key: string };
  webhook: { id: string };
  alertId: string;
}

type Read = (things: Things) => { method: string; url: string; body?: object };

/** Every call that reads one thing, with how it names it. */
const READS: Record<string, Read> = {
  getKey: ({ key }) => ({ method: 'GET', url: `/v1/keys/${key.id}` }),
  explainKey: ({ key }) => ({ method: 'POST', url: `/v1/keys/${key.id}/explain`, body: {} }),
  getKeyUsage: ({ key }) => ({ method: 'GET', url: `/v1/keys/${key.id}/usage` }),
  getWorkspace: ({ workspaceId }) => ({ method: 'GET', url: `/v1/workspaces/${workspaceId}` }),
  getManagementKey: ({ manager }) => ({ method: 'GET', url: `/v1/management-keys/${manager.id}` }),
  getWebhook: ({ webhook }) => ({ method: 'GET', url: `/v1/webhooks/${webhook.id}` }),
  listDeliveries: ({ webhook }) => ({
    method: 'GET',
    url: `/v1/webhooks/${webhook.id}/deliveries`,
  }),
  getAlert: ({ alertId }) => ({ method: 'GET', url: `/v1/alerts/${alertId}` }),
};

/** Every call that reads what a workspace has, with its path. */
const LISTS: Record<string, string> = {
  listKeys: '/v1/keys',
  listManagementKeys: '/v1/management-keys',
  listWebhooks: '/v1/webhooks',
  listAuditEvents: '/v1/audit-events',
  listAlerts: '/v1/alerts',
  getAuditHead: '/v1/audit-events/head',
  getUsage: '/v1/usage?groupBy=workspace',
  getHygieneReport: '/v1/reports/hygiene',
  listHygieneKeys: '/v1/reports/hygiene/without-expiry',
};

/**
 * What shows each workspace that a caller may see, what asks about a presented string, and a list that is
 * empty here: api/hygiene has its bound callers.
 */
const OTHERS = [
  ...['listWorkspaces', 'verifyKey', 'verifyKeys', 'introspectKey', 'findKey'],
  ...['listHygieneOwners', 'listIdleKeys'],
];

describe('a management key of one workspace', () => {
  const pair = usePair();
  let mine: Things;
  let theirs: Things;

  async function furnish(workspaceId: string): Promise<Things> {
    await putWorkspace(pair.first, workspaceId, { name: `Name of ${workspaceId}` });
    const options = { permissions: PERMISSIONS, workspaceId };
    const key = await createKey(pair.first, { workspaceId, name: `a key of ${workspaceId}` });
    await createKey(pair.first, { workspaceId, name: `another of ${workspaceId}` });
    await createManagementKey(pair.first, options);
    await verify(pair.first, key.key);
    const webhook = await createWebhook(pair.first, { workspaceId });
    const alertId = await insertAlert(pair.first, workspaceId, key.id);
    const manager = await createManagementKey(pair.first, options);
    return { workspaceId, key, webhook, manager, alertId };
  }

  beforeAll(async () => {
    mine = await furnish('mine');
    theirs = await furnish('theirs');
    await pair.flush();
  });

  const ask = (method: string, url: string, options: CallOptions = {}) =>
    pair.second.call(method, url, { as: mine.manager.key, ...options });
  const askFor = ({ method, url, body }: ReturnType<Read>) =>
    ask(method, url, { headers: { 'x-request-id': 'the-same' }, ...(body && { body }) });
  /** Nothing by which the other workspace or a thing of it could be recognized. */
  const expectNothingOfTheirs = (text: string) => {
    const { key, manager, webhook, alertId } = theirs;
    for (const trace of ['theirs', key.id, manager.id, webhook.id, alertId]) {
      expect(text).not.toContain(trace);
    }
  };

  it('every call that reads is tried with a management key of another workspace', async () => {
    const { body } = await pair.first.call('GET', '/openapi.json');
    const others = [...Object.keys(MUTATING_CALLS), ...OTHERWISE_AUTHENTICATED];
    const reading = operationsOf(body.paths).filter(
      ({ id }) => !others.includes(id) && PERMISSION_OF[id] !== undefined,
    );
    const known = [...Object.keys(READS), ...Object.keys(LISTS), ...OTHERS];
    expect(reading.map(({ id }) => id).sort()).toEqual(known.sort());
  });

  it.each(Object.entries(READS))(
    '%s shows a bound caller things of its own workspace, and of another one no more than of what never existed',
    async (_operation, read) => {
      expect((await askFor(read(mine))).status).toBe(200);
      const [id, workspaceId] = ['0'.repeat(22), 'unborn'];
      const key = { id: `key_${id}`, key: '' };
      const named = { workspaceId, key, webhook: { id: `wh_${id}` }, alertId: `alert_${id}` };
      const unborn = { ...named, manager: { id: `mk_${id}`, key: '' } };
      const texts = [];
      for (const things of [theirs, unborn]) {
        const { status, text } = await askFor(read(things));
        expect(status).toBe(404);
        texts.push(text);
      }
      expect(texts[0]).toBe(texts[1]);
    },
  );

  it.each(['getKey', 'getKeyUsage', 'explainKey'])(
    '%s shows a bound caller nothing of another workspace, whichever workspace it names',
    async (operation) => {
      const read = READS[operation]?.(theirs);
      if (!read) throw new Error(`nothing is known of ${operation}`);
      for (const workspaceId of ['theirs', 'mine', 'unborn']) {
        const { status, text } = await askFor(
          read.method === 'POST'
            ? { ...read, body: { workspaceId } }
            : { ...read, url: `${read.url}?workspaceId=${workspaceId}` },
        );
        expect(status).toBe(404);
        expectNothingOfTheirs(text);
      }
    },
  );

  it.each(Object.entries(LISTS))(
    '%s shows a bound caller its own workspace alone',
    async (_operation, path) => {
      const own = await ask('GET', path);
      expect(own.status).toBe(200);
      expect(own.text).toContain('mine');
      expectNothingOfTheirs(own.text);
      const also = path.includes('?') ? '&' : '?';
      const foreign = await ask('GET', `${path}${also}workspaceId=theirs`);
      expect(foreign.status).toBe(404);
      expectNothingOfTheirs(foreign.text);
    },
  );

  it.each(['listKeys', 'listAuditEvents', 'listManagementKeys'])(
    '%s shows a bound caller nothing of another workspace by a cursor from there',
    async (operation) => {
      const path = LISTS[operation];
      const first = await pair.first.call('GET', `${path}?workspaceId=theirs&limit=1`);
      const { nextCursor } = first.body;
      expect(nextCursor).toEqual(expect.any(String));
      const { status, text } = await ask('GET', `${path}?cursor=${nextCursor}`);
      expect(status).toBeLessThan(500);
      expectNothingOfTheirs(text);
    },
  );

  it('the audit log shows a bound caller nothing that was done to or by a thing of another workspace', async () => {
    const body = { name: 'by their manager' };
    const made = await pair.first.call('POST', '/v1/keys', { as: theirs.manager.key, body });
    expect(made.status).toBe(201);
    const filters = [
      `targetId=${theirs.key.id}`,
      `actorId=${theirs.manager.id}`,
      'action=key.created',
    ];
    for (const filter of filters) {
      const { status, text } = await ask('GET', `/v1/audit-events?${filter}`);
      expect(status).toBe(200);
      expectNothingOfTheirs(text);
    }
  });

  it('the list of workspaces shows a bound caller its own alone', async () => {
    const { body } = await ask('GET', '/v1/workspaces');
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual(['mine']);
  });

  it('a bound caller is told of a key of another workspace what it is told of any other string', async () => {
    const unknown = theirs.key.key.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    const texts = [];
    for (const key of [theirs.key.key, unknown]) {
      for (const [url, body] of [
        ['/v1/verify', { key }],
        ['/v1/verify/batch', { requests: [{ key }] }],
      ] as const) {
        texts.push((await askFor({ method: 'POST', url, body })).text);
      }
    }
    expect([texts[0], texts[1]]).toEqual([texts[2], texts[3]]);
    expect(JSON.parse(texts[0] ?? '')).toMatchObject({ code: 'NOT_FOUND', keyId: null });
  });
});
