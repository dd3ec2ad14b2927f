import type pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/domain/caller.ts';
import { KEY_SCAN_PATTERN } from '../../src/domain/key-string.ts';
import { connect } from '../support/database.ts';
import type { Answer } from '../support/instance.ts';
import {
  createFixture,
  MUTATING_CALLS,
  type PreparedCall,
  READING_CALLS,
} from '../support/mutating-calls.ts';
import { operationsOf, PERMISSION_OF } from '../support/operations.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { warmAnswer } from '../support/warm.ts';

/** A digest of everything that a call can change, except the counters. */
/** They change what they prove to know, with tests of their own: `api/leaks`. */
const CALLS_OF_STRANGERS = ['reportLeaks', 'reportLeaksByGithub'];

const DIGEST_QUERY = `
  select md5(coalesce(string_agg(line, '' order by line), '')) as digest from (
    select to_jsonb(k)::text as line from keys k
    union all select to_jsonb(s)::text from secrets s
    union all select to_jsonb(w)::text from workspaces w
    union all select to_jsonb(m)::text from management_keys m
    union all select to_jsonb(a)::text from audit_events a
    union all select to_jsonb(h)::text from webhooks h
    union all select to_jsonb(d)::text from webhook_deliveries d
    union all select to_jsonb(l)::text from alerts l
    union all select to_jsonb(i)::text from idempotency_keys i
  ) as lines`;

/** What a call requires beside its permission: these hand out what the audit log has. */
const ALSO: Record<string, string[]> = {
  createWebhook: ['audit:read'],
  redeliverEvents: ['audit:read'],
};

const KEYS = new RegExp(KEY_SCAN_PATTERN, 'g');

describe('every call that changes something', () => {
  const pair = usePair();
  let foreignKey: string;
  let count = 0;

  beforeAll(async () => {
    await putWorkspace(pair.first, 'foreign');
    const options = { permissions: PERMISSIONS, workspaceId: 'foreign' };
    foreignKey = (await createManagementKey(pair.first, options)).key;
  });

  it('every call that changes something is in the table of this test', async () => {
    const { body } = await pair.first.call('GET', '/openapi.json');
    const changing = operationsOf(body.paths).filter(({ method }) => method !== 'GET');
    const others = [...READING_CALLS, ...CALLS_OF_STRANGERS];
    const ids = changing.map(({ id }) => id).filter((id) => !others.includes(id));
    expect(ids.sort()).toEqual(Object.keys(MUTATING_CALLS).sort());
  });

  /** The call on a new fixture, with a caller that has only its permission. */
  async function prepare(operation: string) {
    const workspaceId = `fixture-${++count}`;
    const fixture = await createFixture(pair.first, workspaceId);
    const call = await MUTATING_CALLS[operation]?.(fixture);
    if (!call) throw new Error(`nothing is known of ${operation}`);
    const look = () => call.observe(pair.second, null);
    expect(await warmAnswer(pair.second.service.internals.cache, look)).toEqual(call.before);
    return { call, workspaceId, caller: await callerOf(call, operation, workspaceId) };
  }

  async function callerOf({ ownKey }: PreparedCall, operation: string, workspaceId: string) {
    if (ownKey) return { ...ownKey, actor: { type: 'key', id: ownKey.id, onBehalfOf: null } };
    // Nobody grants or hands out again what they do not have themselves.
    const granted = operation.endsWith('ManagementKey') ? ['management:read', 'keys:read'] : [];
    const permissions = PERMISSIONS.filter((one) =>
      [PERMISSION_OF[operation], ...granted, ...(ALSO[operation] ?? [])].includes(one),
    );
    // A suspension binds the tenant's own management keys.
    const binding = operation === 'resumeWorkspace' ? null : workspaceId;
    const made = await createManagementKey(pair.first, { permissions, workspaceId: binding });
    return { ...made, actor: { type: 'management_key', id: made.id, onBehalfOf: 'user:42' } };
  }

  const send = (
    { method, url, body }: Pick<PreparedCall, 'method' | 'url' | 'body'>,
    as: string,
    headers: Record<string, string> = {},
  ) => pair.first.call(method, url, { as, headers, ...(body && { body }) });

  const digest = async (sql: pg.Client) => (await sql.query(DIGEST_QUERY)).rows[0].digest;

  describe.each(Object.keys(MUTATING_CALLS))('%s', (operation) => {
    it(`${operation} changes nothing for a caller without its permission (403) or of another workspace (404)`, async ({
      skip,
    }) => {
      const { call, workspaceId } = await prepare(operation);
      skip(call.ownKey !== undefined, 'it needs no permission');
      const permissions = PERMISSIONS.filter((other) => other !== PERMISSION_OF[operation]);
      const weak = await createManagementKey(pair.first, { permissions, workspaceId });
      const sql = await connect(pair.databaseUrl);
      const before = await digest(sql);
      expect((await send(call, weak.key)).status).toBe(403);
      expect((await send(call, foreignKey)).status).toBe(404);
      if (call.resourceUrl !== null)
        expect((await send(withoutWorkspace(call), foreignKey)).status).toBe(404);
      expect(await digest(sql)).toBe(before);
      expect(await call.observe(pair.second, null)).toEqual(call.before);
    });

    it(`${operation} is rolled back if its audit entry cannot be written, and leaves no entry if it cannot commit`, async () => {
      const { call, caller } = await prepare(operation);
      const sql = await connect(pair.databaseUrl);
      const before = await digest(sql);
      for (const sabotage of [refuseAudit, refuseCommit]) {
        const restore = await sabotage(sql);
        const { status } = await send(call, caller.key, { 'idempotency-key': 'sabotaged' });
        await restore();
        expect(status).toBe(500);
        expect(await digest(sql)).toBe(before);
        expect(await call.observe(pair.second, null)).toEqual(call.before);
      }
      const { status } = await send(call, caller.key, { 'idempotency-key': 'sabotaged' });
      expect(status).toBeLessThan(300);
    });

    it(`${operation} is refused if the resource has changed (412), and then changes nothing`, async ({
      skip,
    }) => {
      const { call, caller } = await prepare(operation);
      skip(call.resourceUrl === null, 'it has no existing resource');
      if (call.resourceUrl === null) return;
      const sql = await connect(pair.databaseUrl);
      const { etag } = (await pair.second.call('GET', call.resourceUrl)).headers;
      const before = await digest(sql);
      for (const stale of ['"0"', `W/${etag}`, 'anything', `W/${etag}, "0"`]) {
        expect((await send(call, caller.key, { 'if-match': stale })).status).toBe(412);
      }
      expect(await digest(sql)).toBe(before);
      const { status } = await send(call, caller.key, { 'if-match': `"0", ${etag}` });
      expect(status).toBeLessThan(300);
    });

    it(`${operation} takes effect on the other instance at once, has an audit entry, and shows no key`, async () => {
      const { call, caller, workspaceId } = await prepare(operation);
      const headers = { 'x-request-id': `call-${count}`, 'keyward-actor': 'user:42' };
      const ifMatch = call.resourceUrl === null ? {} : { 'if-match': '*' };
      const answer = await send(call, caller.key, { ...headers, ...ifMatch });
      expect(answer.status).toBeLessThan(300);
      expect(await call.observe(pair.second, answer)).toEqual(call.after);
      const sql = await connect(pair.databaseUrl);
      const entries = await entriesOf(sql, workspaceId, headers['x-request-id']);
      expect(entries.map((text) => JSON.parse(text))).toMatchObject([
        {
          action: call.action,
          workspaceId,
          actor: caller.actor,
          ip: '127.0.0.1',
        },
      ]);
      expectNoKey(answer, entries);
    });
  });

  /** Except for the new string, no key is in the answer, the audit log or the log. */
  function expectNoKey({ body, text }: Answer, entries: string[]): void {
    const once = [...text.matchAll(KEYS)].map(([key]) => key);
    expect(once).toEqual(typeof body?.key === 'string' ? [body.key] : []);
    expect(entries.join('\n').match(KEYS)).toBeNull();
    for (const { logLines } of [pair.first, pair.second]) {
      expect(logLines).not.toEqual([]);
      expect(logLines.join('').match(KEYS)).toBeNull();
    }
  }
});

/** The call without a workspace, which means that of the caller. */
function withoutWorkspace({
  method,
  url,
  body,
}: PreparedCall): Pick<PreparedCall, 'method' | 'url' | 'body'> {
  const path = url.split('?', 1)[0] ?? url;
  if (!body) return { method, url: path };
  const { workspaceId: _, ...rest } = { workspaceId: undefined, ...body };
  return { method, url: path, body: rest };
}

async function entriesOf(sql: pg.Client, workspaceId: string, requestId: string) {
  const { rows } = await sql.query<{ payload: string }>(
    `select payload from audit_events
      where workspace_id = $1 and payload::jsonb ->> 'requestId' = $2 order by sequence`,
    [workspaceId, requestId],
  );
  return rows.map(({ payload }) => payload);
}

const REFUSE = `
  create or replace function refuse() returns trigger language plpgsql as
  $$ begin raise exception 'refused'; end $$`;

/** No audit entry can be inserted. */
async function refuseAudit(sql: pg.Client): Promise<() => Promise<unknown>> {
  await sql.query(REFUSE);
  await sql.query(`create trigger refuse before insert on audit_events
                   for each row execute function refuse()`);
  return () => sql.query('drop trigger refuse on audit_events');
}

/** Every transaction that has written an audit entry fails when it commits. */
async function refuseCommit(sql: pg.Client): Promise<() => Promise<unknown>> {
  await sql.query(REFUSE);
  await sql.query(`create constraint trigger refuse after insert on audit_events
                   deferrable initially deferred for each row execute function refuse()`);
  return () => sql.query('drop trigger refuse on audit_events');
}
