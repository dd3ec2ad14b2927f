import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { expectProblem } from '../support/refusals.ts';

interface Event {
  id: string;
  sequence: number;
  action: string;
  time: string;
  actor: { type: string; id: string; onBehalfOf: string | null };
  target: { type: string; id: string };
}

const MINUTE_MS = 60_000;

describe('the list of audit events', () => {
  let database: TestDatabase;
  let keyward: Instance;
  let everything: Event[];
  let manager: { id: string; key: string };
  const keys: Record<string, string> = {};

  /** Ann creates two keys and changes one; Bob revokes it; a management key creates a third. */
  beforeAll(async () => {
    database = await createTestDatabase();
    keyward = await launch(database.url);
    manager = (
      await keyward.call('POST', '/v1/management-keys', {
        body: { name: 'dashboard', permissions: ['keys:write'], workspaceId: 'default' },
      })
    ).body;
    await step('POST', '/v1/keys', 'user:ann', { name: 'one' });
    await step('POST', '/v1/keys', 'user:ann', { name: 'two' });
    await step('PATCH', `/v1/keys/${keys.one}`, 'user:ann', { name: 'uno' });
    await step('POST', `/v1/keys/${keys.one}/revoke`, 'user:bob', { reason: 'leaked' });
    await step('POST', '/v1/keys', null, { name: 'three' }, manager.key);
    await step('DELETE', `/v1/keys/${keys.two}`, null);
    everything = await list('limit=200');
  });
  afterAll(async () => {
    await keyward.stop();
    await database.drop();
  });

  /** Makes one change, a minute after the previous one. */
  async function step(
    method: string,
    url: string,
    actor: string | null,
    body?: object,
    as?: string,
  ) {
    keyward.advance(MINUTE_MS);
    const headers: Record<string, string> = actor === null ? {} : { 'keyward-actor': actor };
    const answer = await keyward.call(method, url, { headers, body, ...(as ? { as } : {}) });
    expect(answer.status).toBeLessThan(300);
    if (answer.status === 201) keys[answer.body.name] = answer.body.id;
  }

  const page = async (query: string) => {
    const { status, body } = await keyward.call('GET', `/v1/audit-events?${query}`);
    expect(status).toBe(200);
    return body as { data: Event[]; nextCursor: string | null };
  };
  const list = async (query: string) => (await page(query)).data;
  const where = (fits: (event: Event) => boolean) => everything.filter(fits);

  it('the audit list shows each change once, newest first, with its actor, the person it was made for, and its target', () => {
    const own = where(({ target }) => target.type === 'key').map(({ action, actor, target }) => [
      action,
      actor.type,
      actor.onBehalfOf,
      target.id,
    ]);
    expect(own).toEqual([
      ['key.deleted', 'root', null, keys.two],
      ['key.created', 'management_key', null, keys.three],
      ['key.revoked', 'root', 'user:bob', keys.one],
      ['key.updated', 'root', 'user:ann', keys.one],
      ['key.created', 'root', 'user:ann', keys.two],
      ['key.created', 'root', 'user:ann', keys.one],
    ]);
    const sequences = everything.map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.toSorted((a, b) => b - a));
    expect(sequences.at(-1)).toBe(1);
    expect(new Set(everything.map(({ id }) => id)).size).toBe(everything.length);
  });

  it('an audit event says what changed and from what, in the changed fields only', () => {
    const [updated] = where(({ action }) => action === 'key.updated');
    expect(updated).toMatchObject({
      before: { name: 'one' },
      after: { name: 'uno' },
      ip: '127.0.0.1',
    });
    expect(updated).toHaveProperty('requestId', expect.stringMatching(/^req_/));
    expect(updated).toHaveProperty('hash', expect.stringMatching(/^[0-9a-f]{64}$/));
    const [created] = where(({ target }) => target.id === keys.three);
    expect(created).toMatchObject({ before: null, after: { name: 'three' } });
  });

  it.each(['key.created', 'key.updated', 'key.revoked', 'key.deleted'])(
    'the action filter of the audit list matches only %s',
    async (action) => {
      expect(await list(`action=${action}`)).toEqual(where((event) => event.action === action));
    },
  );

  it('the actor filter of the audit list matches only what that actor did', async () => {
    for (const id of ['root', manager.id, 'mk_nobody']) {
      expect(await list(`actorId=${id}`)).toEqual(where(({ actor }) => actor.id === id));
    }
    expect(where(({ actor }) => actor.id === manager.id).length).toBe(1);
  });

  it('the onBehalfOf filter of the audit list matches only what was done for that person', async () => {
    for (const name of ['user:ann', 'user:bob', 'USER:ANN', 'user:an']) {
      const found = await list(`onBehalfOf=${encodeURIComponent(name)}`);
      expect(found).toEqual(where(({ actor }) => actor.onBehalfOf === name));
    }
    expect(where(({ actor }) => actor.onBehalfOf === 'user:ann').length).toBe(3);
  });

  it('the target filter of the audit list matches only that target, also after its deletion', async () => {
    for (const id of [keys.one, keys.two, keys.three, manager.id]) {
      expect(await list(`targetId=${id}`)).toEqual(where(({ target }) => target.id === id));
    }
    expect((await list(`targetId=${keys.two}`)).map(({ action }) => action)).toEqual([
      'key.deleted',
      'key.created',
    ]);
  });

  it('the time filters of the audit list include `after` and exclude `before`, in any offset', async () => {
    const times = everything.map(({ time }) => time);
    for (const time of times) {
      expect(await list(`after=${time}`)).toEqual(where((event) => event.time >= time));
      expect(await list(`before=${time}`)).toEqual(where((event) => event.time < time));
    }
    const [newest = '', second = ''] = times;
    const elsewhere = new Date(Date.parse(second) + 2 * 3_600_000)
      .toISOString()
      .replace('Z', '%2B02:00');
    expect(await list(`after=${elsewhere}`)).toEqual(where((event) => event.time >= second));
    expect(await list(`after=${second}&before=${newest}`)).toEqual(
      where((event) => event.time === second),
    );
  });

  it('the filters of the audit list apply together', async () => {
    const query = `action=key.created&onBehalfOf=user:ann&targetId=${keys.two}`;
    expect((await list(query)).map(({ target }) => target.id)).toEqual([keys.two]);
    expect(await list(`${query}&actorId=${manager.id}`)).toEqual([]);
  });

  it.each(['', '&actorId=root', '&onBehalfOf=user:ann', '&action=key.created'])(
    'the pages of the audit list show each event once, also with the filter %j',
    async (filter) => {
      for (const limit of [1, 2, 3]) {
        const seen: Event[] = [];
        let cursor: string | null = null;
        do {
          const more = cursor ? `&cursor=${cursor}` : '';
          const { data, nextCursor } = await page(`limit=${limit}${filter}${more}`);
          expect(data.length).toBeLessThanOrEqual(limit);
          seen.push(...data);
          cursor = nextCursor;
        } while (cursor);
        expect(seen).toEqual(await list(`limit=200${filter}`));
      }
    },
  );

  it('the audit list of one workspace shows nothing of another', async () => {
    await keyward.call('PUT', '/v1/workspaces/acme', { body: {} });
    const found = await list('workspaceId=acme');
    expect(found.filter(({ id }) => everything.some((event) => event.id === id))).toEqual([]);
  });

  it('the audit list requires the permission audit:read', async () => {
    const answer = await keyward.call('GET', '/v1/audit-events', { as: manager.key });
    expectProblem(answer, { status: 403, code: 'FORBIDDEN' });
  });

  it.each([
    ['after=yesterday', '/query/after'],
    ['before=2030-02-30T00:00:00Z', '/query/before'],
    ['actor=root', '/query/actor'],
    ['action=', '/query/action'],
    [`targetId=${'x'.repeat(129)}`, '/query/targetId'],
    ['onBehalfOf=%00', '/query/onBehalfOf'],
    ['action=a&action=b', '/query/action'],
  ])('the audit list refuses %s', async (query, pointer) => {
    const answer = await keyward.call('GET', `/v1/audit-events?${query}`);
    expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer });
  });
});
