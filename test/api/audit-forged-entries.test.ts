import { describe, expect, it } from 'vitest';
import { tamper } from '../support/audit-log.ts';
import { connect } from '../support/database.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

/** What the column of an entry can hold: any JSON. */
const PAYLOADS = [
  '{}',
  '[]',
  'null',
  '5',
  '"text"',
  '{"id": 1, "workspaceId": null, "time": {}, "action": [], "target": 2, "ip": {}, "requestId": 3}',
  '{"id": "evt_x", "action": "key.updated", "time": "now", "actor": {"id": "me"}, "target": null}',
  `{"id": "evt_x", "time": "zzz", "actor": null, "before": "${'x'.repeat(9_000_000)}"}`,
];

describe('an audit log that holds entries that someone else has written', () => {
  const pair = usePair();

  it('is listed and its head is read, whatever they hold', async () => {
    const sql = await connect(pair.databaseUrl);
    await putWorkspace(pair.first, 'forged');
    const { id } = await createKey(pair.first, { workspaceId: 'forged' });
    for (const payload of PAYLOADS) {
      await tamper(
        sql,
        `insert into audit_events (workspace_id, sequence, payload, hash)
         select 'forged', max(sequence) + 1, $1, 'f' from audit_events where workspace_id = 'forged'`,
        [payload],
      );
    }
    const log = await pair.first.call('GET', '/v1/audit-events?workspaceId=forged&limit=100');
    expect(log.status).toBe(200);
    const page = await pair.first.call('GET', '/v1/audit-events?workspaceId=forged&limit=2');
    expect(page.body.data).toHaveLength(2);
    const actions = log.body.data.map((event: { action: string }) => event.action);
    expect(actions.slice(0, PAYLOADS.length)).toEqual(
      PAYLOADS.map((_, index) => (index === 1 ? 'key.updated' : 'unreadable')),
    );
    expect(actions).toContain('key.created');
    const all = await pair.second.call('GET', '/v1/audit-events?workspaceId=*&limit=100');
    expect(all.body.data.map((event: { target: { id: string } }) => event.target.id)).toContain(id);
    const head = await pair.second.call('GET', '/v1/audit-events/head?workspaceId=forged');
    expect(head.status).toBe(200);
  });

  it('a page of an audit log that ends at a forged sequence beyond the exact numbers is followed by the rest', async () => {
    const sql = await connect(pair.databaseUrl);
    await putWorkspace(pair.first, 'far');
    const forged = ['9007199254740993', '9007199254740994', '9223372036854775807'];
    for (const sequence of forged) {
      await tamper(
        sql,
        `insert into audit_events (workspace_id, sequence, payload, hash) values ('far', $1, $2, 'f')`,
        [sequence, JSON.stringify({ id: sequence, time: '2999-01-01T00:00:00.000Z' })],
      );
    }
    const ids = forged.toReversed();
    expect(await idsByPages('workspaceId=far')).toEqual([...ids, expect.stringMatching(/^evt_/)]);
    const all = await idsByPages('workspaceId=*');
    expect(all.filter((id) => forged.includes(id))).toEqual(ids);
  });

  /** Of every entry of a list that is read one by one. */
  async function idsByPages(query: string): Promise<string[]> {
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: string = cursor && `&cursor=${cursor}`;
      const url = `/v1/audit-events?${query}&limit=1${page}`;
      const { status, body } = await pair.first.call('GET', url);
      expect(status).toBe(200);
      ids.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    }
    return ids;
  }
});
