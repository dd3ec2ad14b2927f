import { describe, expect, it } from 'vitest';
import { AUDIT_ACTIONS } from '../../src/audit/actions.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

interface Event {
  id: string;
  workspaceId: string;
  time: string;
}

describe('the audit logs of all workspaces', () => {
  const pair = usePair();
  const list = (query: string, as?: string) =>
    pair.second.call('GET', `/v1/audit-events?${query}`, { ...(as && { as }) });

  it('an unbound caller lists the events of every workspace by time, page by page, each once', async () => {
    for (const workspaceId of ['alpha', 'beta', 'gamma', 'alpha', 'beta']) {
      await putWorkspace(pair.first, workspaceId);
      await createKey(pair.first, { workspaceId });
      pair.advance(1000);
    }
    await pair.first.call('DELETE', '/v1/workspaces/gamma');
    const whole: Event[] = (await list('workspaceId=*&limit=200')).body.data;
    const times = whole.map(({ time }) => time);
    expect(times).toEqual(times.toSorted().toReversed());
    expect(whole.slice(0, 3).map(({ workspaceId }) => workspaceId)).toEqual([
      ...['gamma', 'beta', 'alpha'],
    ]);
    const paged: Event[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await list(`workspaceId=*&limit=2${cursor}`);
      paged.push(...body.data);
      if (body.nextCursor === null) break;
      cursor = `&cursor=${body.nextCursor}`;
    }
    expect(paged).toEqual(whole);
    const filtered = (await list('workspaceId=*&action=workspace.deleted')).body.data;
    expect(filtered.map((event: Event) => event.workspaceId)).toEqual(['gamma']);
  });

  it('events of the same moment in several workspaces are each on one page', async () => {
    for (const workspaceId of ['p', 'q', 'r', 's']) await putWorkspace(pair.first, workspaceId);
    const { body } = await list('workspaceId=*&action=workspace.created&limit=200');
    const ids: string[] = [];
    for (let cursor = ''; ; ) {
      const page = await list(`workspaceId=*&action=workspace.created&limit=1${cursor}`);
      ids.push(...page.body.data.map((event: Event) => event.id));
      if (page.body.nextCursor === null) break;
      cursor = `&cursor=${page.body.nextCursor}`;
    }
    expect(ids).toEqual(body.data.map((event: Event) => event.id));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('a bound caller may not list every workspace, and a cursor of the list of all is refused by a log', async () => {
    const permissions = ['audit:read'] as const;
    await putWorkspace(pair.first, 'own');
    const { key } = await createManagementKey(pair.first, { permissions, workspaceId: 'own' });
    expect((await list('workspaceId=*', key)).status).toBe(404);
    const { nextCursor } = (await list('workspaceId=*&limit=1')).body;
    const crossed = await list(`workspaceId=default&cursor=${nextCursor}`);
    expect([crossed.status, crossed.body.code]).toEqual([400, 'INVALID_CURSOR']);
  });

  it.each([
    ['/v1/audit-events?action=key.revokd', '/query/action', [...AUDIT_ACTIONS]],
    ['/v1/keys?status=actve', '/query/status/0', ['active', 'scheduled', 'expired']],
    ['/v1/keys?sort=createdAt', '/query/sort', ['-createdAt', 'name', 'expiresAt']],
    ['/v1/keys/key_0000000000000000000000/usage?granularity=week', '/query/granularity', ['hour']],
  ])(
    'an unknown value of a filter is refused and the known ones are named: %s',
    async (url, pointer, known) => {
      const { status, body } = await pair.first.call('GET', url);
      expect([status, body.errors[0].pointer]).toEqual([400, pointer]);
      for (const value of known) expect(body.errors[0].detail).toContain(value);
    },
  );

  it('every action that is known can be listed', async () => {
    for (const action of AUDIT_ACTIONS) {
      expect((await list(`action=${action}`)).status).toBe(200);
    }
  });
});
