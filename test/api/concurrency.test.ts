import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { chainHash, FIRST_HEAD } from '../../src/audit/chain.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import { connect } from '../support/database.ts';
import { TEST_SECRET } from '../support/instance.ts';
import {
  auditOf,
  callConcurrently,
  putWorkspace,
  retryOn503,
  tally,
  usePair,
} from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const CALLS = 200;

/** Each test sends its calls concurrently, half of them to each of two instances. */
describe('concurrent calls', () => {
  const pair = usePair();

  const countOf = async (query: string, ...values: unknown[]) => {
    const sql = await connect(pair.databaseUrl);
    return Number((await sql.query<{ count: string }>(query, values)).rows[0]?.count);
  };

  it('concurrent puts of a workspace create it once', async () => {
    const body = { name: 'Acme', maxActiveKeys: 5 };
    const answers = await callConcurrently(pair, CALLS, (instance) =>
      retryOn503(instance, 'PUT', '/v1/workspaces/acme', { body }),
    );
    expect(tally(answers)).toEqual({ 200: CALLS - 1, 201: 1 });
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const actions = await auditOf(pair.first, 'acme', 'acme');
    expect(actions.map(({ action }: { action: string }) => action)).toEqual(['workspace.created']);
  });

  it('concurrent creations leave exactly 10 keys if 10 may be active', async () => {
    await putWorkspace(pair.first, 'ten', { maxActiveKeys: 10 });
    const body = { name: 'one of ten', workspaceId: 'ten' };
    const answers = await callConcurrently(pair, CALLS, (instance) =>
      retryOn503(instance, 'POST', '/v1/keys', { body }),
    );
    expect(tally(answers)).toEqual({ 201: 10, '409 KEY_LIMIT_REACHED': CALLS - 10 });
    expect(await countOf(`select count(*) from keys where workspace_id = 'ten'`)).toBe(10);
  });

  it('concurrent creations and extensions of expired keys leave exactly 10 active if 10 may be', async () => {
    await putWorkspace(pair.first, 'mixed');
    const expiring = { workspaceId: 'mixed', expiresInSeconds: 60 };
    const expired = await Promise.all(Array.from({ length: 20 }, () => createIn(expiring)));
    pair.advance(60_000);
    await putWorkspace(pair.first, 'mixed', { maxActiveKeys: 10 });
    const answers = await callConcurrently(pair, CALLS, (instance, index) => {
      const id = expired[Math.floor(index / 2)];
      if (index >= 40 || id === undefined) {
        const body = { name: 'new', workspaceId: 'mixed' };
        return retryOn503(instance, 'POST', '/v1/keys', { body });
      }
      const url = `/v1/keys/${id}?workspaceId=mixed`;
      return retryOn503(instance, 'PATCH', url, { body: { expiresAt: null } });
    });
    const { '409 KEY_LIMIT_REACHED': refused = 0, ...done } = tally(answers);
    expect(refused + (done['200'] ?? 0) + (done['201'] ?? 0)).toBe(CALLS);
    const active = `select count(*) from keys where workspace_id = 'mixed' and expires_at is null`;
    expect(await countOf(active)).toBe(10);
  });

  const createIn = async (more: object) => {
    const body = { name: 'a key', ...more };
    return String((await retryOn503(pair.first, 'POST', '/v1/keys', { body })).body.id);
  };

  it('concurrent creations with one Idempotency-Key create one key', async () => {
    const options = { body: { name: 'once' }, headers: { 'idempotency-key': 'the-same' } };
    const answers = await callConcurrently(pair, CALLS, (instance) =>
      retryOn503(instance, 'POST', '/v1/keys', options),
    );
    const { 201: done = 0, '409 IDEMPOTENCY_IN_FLIGHT': inFlight = 0 } = tally(answers);
    expect(done + inFlight).toBe(CALLS);
    const created = answers.filter(({ status }) => status === 201).map(({ body }) => body);
    expect(new Set(created.map(({ id }) => id)).size).toBe(1);
    expect(created.filter(({ key }) => key !== null)).toHaveLength(1);
    expect(await countOf(`select count(*) from keys where name = 'once'`)).toBe(1);
  });

  it('of concurrent rotations of a key one succeeds, the others get 409, and only its string is valid', async () => {
    const { id, key: old } = await createKey(pair.first);
    const answers = await callConcurrently(pair, CALLS, (instance) =>
      retryOn503(instance, 'POST', `/v1/keys/${id}/rotate`, { body: { graceSeconds: 3600 } }),
    );
    expect(tally(answers)).toEqual({ 200: 1, '409 ROTATION_UNDER_WAY': CALLS - 1 });
    const key = answers.find(({ status }) => status === 200)?.body.key;
    expect(await verdict(pair.first, key)).toBe('VALID');
    expect(await verdict(pair.second, old)).toBe('VALID');
    expect(await countOf('select count(*) from secrets where key_id = $1', id)).toBe(2);
  });

  it('concurrent rotations with supersede leave only the last two strings valid', async () => {
    const { id } = await createKey(pair.first);
    const body = { graceSeconds: 3600, supersede: true };
    const answers = await callConcurrently(pair, 20, (instance) =>
      retryOn503(instance, 'POST', `/v1/keys/${id}/rotate`, { body }),
    );
    expect(tally(answers)).toEqual({ 200: 20 });
    const codes = await Promise.all(answers.map((a) => verdict(pair.second, a.body.key)));
    expect(codes.toSorted()).toEqual([...Array(18).fill('NOT_FOUND'), 'VALID', 'VALID']);
  });

  it('of concurrent changes with the same If-Match one succeeds', async () => {
    const { id } = await createKey(pair.first);
    const { etag } = (await pair.first.call('GET', `/v1/keys/${id}`)).headers;
    const answers = await callConcurrently(pair, CALLS, (instance, index) =>
      retryOn503(instance, 'PATCH', `/v1/keys/${id}`, {
        body: { name: `name ${index}` },
        headers: { 'if-match': String(etag) },
      }),
    );
    expect(tally(answers)).toEqual({ 200: 1, '412 PRECONDITION_FAILED': CALLS - 1 });
  });

  it('concurrent revocations of a key all succeed, and one audit entry is written', async () => {
    const { id, key } = await createKey(pair.first);
    const answers = await callConcurrently(pair, CALLS, (instance, index) =>
      retryOn503(instance, 'POST', `/v1/keys/${id}/revoke`, { body: { reason: `r${index}` } }),
    );
    expect(tally(answers)).toEqual({ 200: CALLS });
    expect(new Set(answers.map(({ body }) => body.revokeReason)).size).toBe(1);
    expect(await verdict(pair.second, key)).toBe('REVOKED');
    expect(await auditOf(pair.first, id)).toHaveLength(2);
  });

  it('concurrent changes in one workspace leave an intact audit chain', async () => {
    await putWorkspace(pair.first, 'chained');
    const ids = await Promise.all(
      Array.from({ length: 20 }, () => createIn({ workspaceId: 'chained' })),
    );
    const answers = await callConcurrently(pair, CALLS, (instance, index) => {
      const url = `/v1/keys/${ids[index % 20]}?workspaceId=chained`;
      return retryOn503(instance, 'PATCH', url, { body: { name: `name ${index}` } });
    });
    expect(tally(answers)).toEqual({ 200: CALLS });
    expect(await brokenLinks(await connect(pair.databaseUrl), 'chained')).toEqual([]);
    const count = `select count(*) from audit_events where workspace_id = 'chained'`;
    expect(await countOf(count)).toBe(1 + 20 + CALLS);
  });
});

/** The sequence numbers at which a chain does not continue the previous entry. */
async function brokenLinks(sql: pg.Client, workspaceId: string): Promise<number[]> {
  const { rows } = await sql.query<{ sequence: string; payload: string; hash: string }>(
    'select sequence, payload, hash from audit_events where workspace_id = $1 order by sequence',
    [workspaceId],
  );
  const pepper = new Pepper(TEST_SECRET);
  let head = FIRST_HEAD;
  const broken: number[] = [];
  for (const { payload, hash, ...row } of rows) {
    const sequence = Number(row.sequence);
    const isNext = sequence === head.sequence + 1;
    if (!isNext || chainHash(head.hash, payload, pepper) !== hash) broken.push(sequence);
    head = { sequence, hash };
  }
  const heads = await sql.query('select hash from audit_heads where workspace_id = $1', [
    workspaceId,
  ]);
  return heads.rows[0]?.hash === head.hash ? broken : [...broken, head.sequence];
}
