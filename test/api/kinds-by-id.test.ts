import { beforeAll, describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { insertAlert } from '../support/alerts.ts';
import { type DescribedCall, describedCalls, leastBody } from '../support/described-calls.ts';
import type { Answer } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';
import { createWebhook } from '../support/webhook-calls.ts';

const UNKNOWN: Record<string, string> = {
  keys: `key_${'0'.repeat(22)}`,
  'management-keys': `mk_${'0'.repeat(22)}`,
  webhooks: `wh_${'0'.repeat(22)}`,
  workspaces: 'never-made',
  alerts: `alert_${'0'.repeat(22)}`,
};

/** Where the least that the schema asks for is not enough. */
const BODIES: Record<string, object> = { redeliverEvents: { after: '2020-01-01T00:00:00Z' } };

const kindOf = ({ path }: DescribedCall) => path.split('/')[2] ?? '';

const takesWorkspace = ({ query, body }: DescribedCall) =>
  query.some(({ name }) => name === 'workspaceId') || body?.properties?.workspaceId !== undefined;

/** Everything that an answer tells, but when it was given. */
const tells = ({ status, headers: { date: _, ...headers }, text }: Answer) => ({
  status,
  headers,
  text,
});

describe('calls by id', () => {
  const pair = usePair();
  let all: DescribedCall[];
  let calls: DescribedCall[];
  let bound: string;

  beforeAll(async () => {
    all = (await describedCalls(pair.first)).filter(({ isManaged }) => isManaged);
    calls = all.filter(({ path }) => path.includes('{id}'));
    await putWorkspace(pair.first, 'mine');
    const options = { permissions: PERMISSIONS, workspaceId: 'mine' };
    bound = (await createManagementKey(pair.first, options)).key;
  });

  let count = 0;
  /** Something of another workspace for the call, which a first caller is in the middle of rotating. */
  async function existing(call: DescribedCall): Promise<string> {
    const workspaceId = `theirs-${++count}`;
    await putWorkspace(pair.first, workspaceId);
    if (kindOf(call) === 'workspaces') return workspaceId;
    if (kindOf(call) === 'webhooks') return (await createWebhook(pair.first, { workspaceId })).id;
    if (kindOf(call) === 'alerts') return insertAlert(pair.first, workspaceId, 'key_theirs');
    const made =
      kindOf(call) === 'keys'
        ? await createKey(pair.first, { workspaceId, credits: { remaining: 5 } })
        : await createManagementKey(pair.first, { permissions: ['keys:read'], workspaceId });
    if (call.id !== 'endGrace') return made.id;
    const body = { graceSeconds: 60 };
    await pair.first.call('POST', `/v1/keys/${made.id}/rotate`, { body });
    return made.id;
  }

  const send = (call: DescribedCall, id: string, as?: string, query = '', headers = {}) =>
    pair.first.call(call.method, call.path.replace('{id}', id) + query, {
      ...(call.body && { body: BODIES[call.id] ?? leastBody(call.body) }),
      ...(as && { as }),
      headers: { 'x-request-id': 'same', ...headers },
    });

  it('a caller of all workspaces needs to name none in any call by id', async () => {
    for (const call of calls) {
      const { status, text } = await send(call, await existing(call));
      expect([call.id, status < 300 ? 'done' : text]).toEqual([call.id, 'done']);
    }
  });

  it('a caller of another workspace is answered by every call by id as if the id were unknown, to the byte', async () => {
    for (const call of calls) {
      const id = await existing(call);
      const unknown = UNKNOWN[kindOf(call)] ?? '';
      const ways: [string, Record<string, string>][] = [
        ['', {}],
        ['', { 'if-match': '"1"' }],
        ['', { 'if-none-match': '*' }],
        ['', { 'idempotency-key': `of-${call.id}` }],
      ];
      const takesQuery = call.query.some(({ name }) => name === 'workspaceId');
      if (takesQuery) ways.push(['?workspaceId=mine', {}], [`?workspaceId=theirs-${count}`, {}]);
      for (const [query, headers] of ways) {
        const own = await send(call, id, bound, query, headers);
        const none = await send(call, unknown, bound, query, headers);
        expect([call.id, headers, own.status]).toEqual([call.id, headers, 404]);
        expect(tells(own)).toEqual(tells(none));
      }
      expect((await send(call, id)).status, call.id).toBeLessThan(300);
    }
  });

  it('no call by id tells a caller of another workspace that something was deleted there', async () => {
    for (const call of calls) {
      const id = await existing(call);
      await pair.first.call('DELETE', `/v1/workspaces/theirs-${count}`);
      const own = await send(call, id, bound);
      expect(tells(own)).toEqual(tells(await send(call, UNKNOWN[kindOf(call)] ?? '', bound)));
    }
  });

  it('a caller of one workspace is answered about `default`, which always exists, as about an unknown one', async () => {
    for (const call of calls.filter((it) => kindOf(it) === 'workspaces')) {
      const own = await send(call, 'default', bound);
      expect(tells(own)).toEqual(tells(await send(call, 'never-made', bound)));
    }
  });

  it('a caller of one workspace that names another is answered by every call as if that did not exist', async () => {
    await putWorkspace(pair.first, 'theirs');
    for (const call of all.filter(takesWorkspace)) {
      const url = call.path.replace('{id}', UNKNOWN[kindOf(call)] ?? '');
      const inQuery = call.query.some(({ name }) => name === 'workspaceId');
      const naming = async (workspaceId: string) => {
        const least = leastBody(call.body ?? {});
        return pair.first.call(call.method, inQuery ? `${url}?workspaceId=${workspaceId}` : url, {
          ...(call.body && { body: inQuery ? least : { ...least, workspaceId } }),
          as: bound,
          headers: { 'x-request-id': 'same' },
        });
      };
      const theirs = await naming('theirs');
      expect([call.id, theirs.status]).toEqual([call.id, 404]);
      expect(tells(theirs)).toEqual(tells(await naming('never-made')));
    }
  });
});
