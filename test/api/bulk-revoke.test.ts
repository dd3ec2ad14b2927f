import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { copyRow } from '../support/sql-copies.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

const UNKNOWN = `key_${'0'.repeat(22)}`;

describe('bulk revocation', () => {
  const pair = usePair();
  const bulk = async (body: object, as?: string) =>
    pair.first.call('POST', '/v1/keys/bulk-revoke', { body, ...(as ? { as } : {}) });
  const verdicts = async (...keys: { key: string }[]) => {
    const codes = [];
    for (const { key } of keys) codes.push(await verdict(pair.second, key));
    return codes;
  };

  it('a bulk revocation by id takes effect at once everywhere, has an audit entry for each key, and lists the missing ids', async () => {
    const [one, two, other] = [
      await createKey(pair.first),
      await createKey(pair.first),
      await createKey(pair.first),
    ];
    const old = await createKey(pair.first);
    await pair.first.call('POST', `/v1/keys/${old.id}/revoke`, { body: { reason: 'before' } });
    for (const { key } of [one, two, other]) await warmKey(key, pair.second);
    const why = { reason: 'leaked', note: 'All in one file.' };
    const { status, body } = await bulk({ ids: [one.id, UNKNOWN, two.id, old.id], ...why });
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        dryRun: false,
        matched: 3,
        alreadyRevoked: 1,
        revoked: 2,
        wouldRevoke: null,
        wouldRevokeIds: null,
        keyIds: expect.toSatisfy((ids: string[]) => sameSet(ids, [one.id, two.id])),
        missingIds: [UNKNOWN],
        errors: [],
      },
    });
    expect(await verdicts(one, two, other)).toEqual(['REVOKED', 'REVOKED', 'VALID']);
    for (const { id } of [one, two]) {
      const [entry] = await auditOf(pair.first, id);
      const after = { revokeReason: 'leaked', revokeNote: why.note, revokedAt: expect.any(String) };
      expect(entry).toMatchObject({ action: 'key.revoked', after });
      const read = await pair.second.call('GET', `/v1/keys/${id}`);
      expect(read.body).toMatchObject({ status: 'revoked', revokedBy: { type: 'root' } });
    }
    const untouched = await pair.second.call('GET', `/v1/keys/${old.id}`);
    expect(untouched.body.revokeReason).toBe('before');
    expect(await auditOf(pair.first, old.id)).toHaveLength(2);
  });

  it('a bulk revocation by owner revokes all keys of that owner in this workspace, and no others', async () => {
    await putWorkspace(pair.first, 'apart');
    const own = { ownerId: 'customer_42' };
    const keys = [await createKey(pair.first, own), await createKey(pair.first, own)];
    const bystanders = [
      await createKey(pair.first, { ownerId: 'customer_4' }),
      await createKey(pair.first),
      await createKey(pair.first, { ...own, workspaceId: 'apart' }),
    ];
    for (const { key } of [...keys, ...bystanders]) await warmKey(key, pair.second);
    const { body } = await bulk(own);
    expect(body).toMatchObject({ matched: 2, revoked: 2, missingIds: [] });
    expect(await verdicts(...keys)).toEqual(['REVOKED', 'REVOKED']);
    expect(await verdicts(...bystanders)).toEqual(['VALID', 'VALID', 'VALID']);
    expect((await bulk(own)).body).toMatchObject({ matched: 2, alreadyRevoked: 2, revoked: 0 });
    expect((await bulk({ ownerId: 'nobody' })).body).toMatchObject({ matched: 0, revoked: 0 });
  });

  it('a dry run says what would be revoked and changes nothing', async () => {
    const key = await createKey(pair.first, { ownerId: 'customer_7' });
    const options = { ownerId: 'customer_7' };
    const { body: preview } = await bulk({ ...options, dryRun: true });
    expect(preview).toMatchObject({
      dryRun: true,
      revoked: 0,
      keyIds: [],
      wouldRevoke: 1,
      wouldRevokeIds: [key.id],
    });
    expect(await verdicts(key)).toEqual(['VALID']);
    expect(await auditOf(pair.first, key.id)).toHaveLength(1);
    const { body } = await bulk({ ...options, dryRun: false });
    const done = { revoked: 1, keyIds: [key.id], wouldRevoke: null, wouldRevokeIds: null };
    expect(body).toEqual({ ...preview, ...done, dryRun: false });
  });

  it('keys of another workspace are reported as missing by a bulk revocation, and stay as they are', async () => {
    await putWorkspace(pair.first, 'mine');
    const key = await createKey(pair.first, { ownerId: 'customer_9' });
    const options = { permissions: ['keys:revoke'] as const, workspaceId: 'mine' };
    const { key: as } = await createManagementKey(pair.first, options);
    expect((await bulk({ ids: [key.id] }, as)).body).toMatchObject({
      matched: 0,
      missingIds: [key.id],
    });
    expect((await bulk({ ownerId: 'customer_9' }, as)).body.matched).toBe(0);
    expect((await bulk({ ids: [key.id], workspaceId: 'default' }, as)).status).toBe(404);
    expect(await verdicts(key)).toEqual(['VALID']);
  });

  it('a bulk revocation by ids finds keys in every workspace of the caller, unless it names one', async () => {
    await putWorkspace(pair.first, 'elsewhere');
    const keys = [
      await createKey(pair.first),
      await createKey(pair.first, { workspaceId: 'elsewhere' }),
    ];
    for (const { key } of keys) await warmKey(key, pair.second);
    const ids = keys.map(({ id }) => id);
    const narrowed = await bulk({ ids, workspaceId: 'elsewhere', dryRun: true });
    expect(narrowed.body).toMatchObject({ wouldRevoke: 1, missingIds: [ids[0]] });
    expect((await bulk({ ids })).body).toMatchObject({ revoked: 2, missingIds: [] });
    expect(await verdicts(...keys)).toEqual(['REVOKED', 'REVOKED']);
    expect((await bulk({ ids, workspaceId: 'nowhere' })).status).toBe(404);
  });

  it('a bulk revocation without a filter, or with two, is refused', async () => {
    const none = [{}, { dryRun: true }, { reason: 'leaked' }, { ids: [] }];
    for (const body of [...none, { ids: [UNKNOWN], ownerId: 'customer_42' }, { ownerId: '' }]) {
      expect((await bulk(body)).status).toBe(400);
    }
  });

  it('thousands of keys are revoked at once, each with its entry in one intact chain', async () => {
    const KEYS = 2500;
    await putWorkspace(pair.first, 'large');
    const whale = { workspaceId: 'large', ownerId: 'whale' };
    const { id, key } = await createKey(pair.first, whale);
    const sql = await connect(pair.databaseUrl);
    const copies = Array.from({ length: KEYS }, (_, i) => ({
      id: `key_${String(i).padStart(22, '0')}`,
    }));
    await copyRow(sql, 'keys', { id }, copies);
    await warmKey(key, pair.second);
    const { body } = await bulk({ workspaceId: 'large', ownerId: 'whale' });
    expect(body.revoked).toBe(KEYS + 1);
    expect(await verdict(pair.second, key)).toBe('REVOKED');
    const { rows } = await sql.query(
      `select count(distinct target_id)::int as targets, min(sequence)::int, max(sequence)::int
         from audit_events where workspace_id = 'large' and action = 'key.revoked'`,
    );
    expect(rows).toEqual([{ targets: KEYS + 1, min: 3, max: KEYS + 3 }]);
  });

  it('a bulk revocation that fails midway leaves whole steps revoked, each with its entries, and a repetition revokes the rest', async () => {
    const body = { workspaceId: 'stepped', ownerId: 'many' };
    await putWorkspace(pair.first, 'stepped');
    const { id } = await createKey(pair.first, body);
    const sql = await connect(pair.databaseUrl);
    const copies = Array.from({ length: 1200 }, (_, i) => ({
      id: `key_${String(i).padStart(22, 'y')}`,
    }));
    await copyRow(sql, 'keys', { id }, copies);
    const counts = async () => {
      const { rows } = await sql.query(
        `select (select count(*)::int from keys
                  where workspace_id = 'stepped' and revoked_at is not null) as revoked,
                (select count(*)::int from audit_events
                  where workspace_id = 'stepped' and action = 'key.revoked') as entries`,
      );
      return rows[0];
    };
    const headers = { 'idempotency-key': 'in-steps' };
    const send = (more = {}) =>
      pair.first.call('POST', '/v1/keys/bulk-revoke', { body: { ...body, ...more }, headers });
    await sql.query(`
      create function refuse_some() returns trigger language plpgsql as
        $$ begin raise exception 'refused'; end $$;
      create trigger refuse_some before update on keys for each row
        when (new.id = 'key_' || lpad('700', 22, 'y')) execute function refuse_some()`);
    expect((await send()).status).toBe(500);
    await sql.query('drop trigger refuse_some on keys');
    const midway = await counts();
    expect(midway.revoked % 500).toBe(0);
    expect(midway).toEqual({ revoked: midway.revoked, entries: midway.revoked });
    expect(midway.revoked).toBeGreaterThan(0);
    const whole = { matched: 1201, alreadyRevoked: midway.revoked, revoked: 1201 - midway.revoked };
    expect((await send()).body).toMatchObject(whole);
    expect(await counts()).toEqual({ revoked: 1201, entries: 1201 });
    expect((await send()).body).toMatchObject(whole);
    expect((await send({ reason: 'other' })).status).toBe(422);
  });

  it('a bulk revocation of 10,001 keys is refused as a whole, one of 10,000 is not', async () => {
    await putWorkspace(pair.first, 'huge');
    const body = { workspaceId: 'huge', ownerId: 'leviathan' };
    const { id } = await createKey(pair.first, body);
    const sql = await connect(pair.databaseUrl);
    const copies = Array.from({ length: 10_000 }, (_, i) => ({
      id: `key_${String(i).padStart(22, 'x')}`,
    }));
    await copyRow(sql, 'keys', { id }, copies);
    const outcomes = [await bulk(body), await bulk({ ...body, dryRun: true })];
    expect(outcomes.map((one) => one.body.code)).toEqual(['TOO_MANY_KEYS', 'TOO_MANY_KEYS']);
    const revoked = `select count(*)::int as keys from keys
                      where workspace_id = 'huge' and revoked_at is not null`;
    expect((await sql.query(revoked)).rows).toEqual([{ keys: 0 }]);
    expect(await auditOf(pair.first, id, 'huge')).toHaveLength(1);
    await pair.first.call('DELETE', `/v1/keys/${id}?workspaceId=huge`);
    expect((await bulk(body)).body).toMatchObject({ matched: 10_000, revoked: 10_000 });
    expect((await sql.query(revoked)).rows).toEqual([{ keys: 10_001 }]);
  });
});

function sameSet(actual: string[], expected: string[]): boolean {
  return actual.toSorted().join() === expected.toSorted().join();
}
