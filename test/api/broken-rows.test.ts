import type pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

/** What someone with the rights of the service can make of the rows of a key, `$1`. */
const BROKEN_KEYS = [
  `update keys set revision = 2147483647 where id = $1`,
  `update keys set expires_at = 'infinity', not_before = '-infinity' where id = $1`,
  `update keys set created_at = 'infinity', updated_at = '-infinity' where id = $1`,
  `update keys set expires_at = '200000-01-01', updated_at = '4000-01-01 BC' where id = $1`,
  `update keys set metadata = '[1, "x", null]' where id = $1`,
  `update keys set metadata = 'null', created_by = 'null' where id = $1`,
  `update keys set metadata = '"x"', created_by = '"x"' where id = $1`,
  `update keys set scopes = '{NULL,""}', resources = '{NULL}', allowed_ips = '{NULL,x}' where id = $1`,
  `update keys set limit_units = '{-1}', limit_windows = '{0}' where id = $1`,
  `update keys set limit_units = '{NULL}', limit_windows = '{NULL}', limit_names = '{NULL}' where id = $1`,
  `update keys set limit_units = '{9223372036854775807}', limit_windows = '{2147483647}' where id = $1`,
  `update keys set limit_units = '{}', limit_windows = '{}', limit_names = '{}' where id = $1`,
  `update keys set refill_interval = 'hourly', refill_amount = -1, refill_day = 99 where id = $1`,
  `update keys set refill_interval = 'monthly', refill_amount = null, refill_day = null where id = $1`,
  `update keys set refill_interval = 'monthly', refill_amount = 1, refill_day = -2147483648 where id = $1`,
  `update keys set description = repeat('x', 10000), min_policy_version = 99 where id = $1`,
  `update keys set owner_id = E'\\x01' || repeat('ü', 1000), description = E'\\n' where id = $1`,
  `update key_consumption set names = '{}', windows = '{}', slices = '{}', counts = '{}' where key_id = $1`,
  `update key_consumption set names = '{a,b,c}', windows = '{NULL}', slices = '{-9}', counts = '{1}' where key_id = $1`,
  `update key_consumption set credits = 9223372036854775807, last_ms = 9223372036854775807, refilled_ms = -1 where key_id = $1`,
  `update key_consumption set slices = '{9223372036854775807}', counts = '{-9223372036854775808}' where key_id = $1`,
  `delete from key_consumption where key_id = $1`,
  `update secrets set status = 'retired', hash = '' where key_id = $1`,
  `update secrets set start = '', created_at = 'infinity', valid_until = '-infinity' where key_id = $1`,
  `insert into secrets (ref, id, key_id, start, hash, status, valid_until, created_at)
   select $1 || n, $1 || n, $1, '', '', 'retiring', 'infinity', 'infinity' from generate_series(1, 3) n`,
  `update key_usage set total = -9223372036854775808, last_used_at = 'infinity',
          last_denied_at = '-infinity' where key_id = $1`,
];

const BROKEN_MANAGEMENT_KEYS = [
  `update management_keys set revision = 2147483647 where id = $1`,
  `update management_keys set expires_at = 'infinity', created_at = '-infinity', updated_at = 'infinity' where id = $1`,
  `update management_keys set permissions = '{NULL,nonsense}', name = '' where id = $1`,
  `update management_keys set created_by = 'null' where id = $1`,
  `update secrets set status = 'retired' where key_id = $1`,
  `insert into secrets (ref, id, key_id, start, hash, status, valid_until, created_at)
   select $1 || n, $1 || n, $1, '', '', 'retiring', 'infinity', 'infinity' from generate_series(1, 3) n`,
];

describe('rows that someone has broken', () => {
  const pair = usePair();
  let sql: pg.Client;
  beforeEach(async () => {
    sql = await connect(pair.databaseUrl);
  });

  const quota = {
    credits: { remaining: 5, refill: { interval: 'daily', amount: 5 } },
    rateLimits: [{ name: 'a', limit: 5, windowSeconds: 60 }],
  };
  const revokedAt = async (table: string, id: string) =>
    (await sql.query(`select revoked_at from ${table} where id = $1`, [id])).rows[0].revoked_at;

  it.each(BROKEN_KEYS)(
    'a key can still be revoked, alone and with others, after: %s',
    async (text) => {
      const [one, two] = [await createKey(pair.first, quota), await createKey(pair.first, quota)];
      for (const { id } of [one, two]) await sql.query(text, [id]);
      await pair.first.call('POST', `/v1/keys/${one.id}/revoke`, { body: { reason: 'test' } });
      expect(await revokedAt('keys', one.id)).not.toBeNull();
      await pair.second.call('POST', '/v1/keys/bulk-revoke', { body: { ids: [two.id] } });
      expect(await revokedAt('keys', two.id)).not.toBeNull();
    },
  );

  it.each(BROKEN_KEYS)(
    'a key is shown, listed, explained, used by its holder and deleted without an error of the service after: %s',
    async (text) => {
      const one = await createKey(pair.first, quota);
      await sql.query(text, [one.id]);
      const path = `/v1/keys/${one.id}`;
      const answers = [
        await pair.first.call('GET', path),
        await pair.first.call('GET', '/v1/keys'),
        await pair.first.call('GET', '/v1/keys?sort=expiresAt'),
        await pair.first.call('GET', `${path}/usage`),
        await pair.first.call('POST', '/v1/keys/find', { body: { key: one.key } }),
        await pair.first.call('PATCH', path, { body: { name: 'another' } }),
        await pair.first.call('POST', `${path}/credits`, { body: { add: 1 } }),
        await pair.first.call('POST', `${path}/rotate`, { body: { graceSeconds: 60 } }),
        await pair.second.call('GET', '/v1/whoami', { as: one.key }),
        await pair.second.call('POST', '/v1/verify', { body: { key: one.key } }),
      ];
      expect(answers.filter(({ status }) => status === 500)).toEqual([]);
      const deleted = await pair.second.call('DELETE', path);
      expect([200, 204]).toContain(deleted.status);
    },
  );

  it.each(BROKEN_KEYS)(
    'a batch answers every other item, of this workspace and of others, after: %s',
    async (text) => {
      await putWorkspace(pair.first, 'beside');
      const broken = await createKey(pair.first, quota);
      const keys = [
        await createKey(pair.first, quota),
        await createKey(pair.first),
        await createKey(pair.first, { ...quota, workspaceId: 'beside' }),
      ];
      await sql.query(text, [broken.id]);
      const requests = [broken, ...keys].map(({ key }) => ({ key }));
      for (const instance of [pair.first, pair.second]) {
        const { body } = await instance.call('POST', '/v1/verify/batch', { body: { requests } });
        const codes = body.results.map((result: { code: string }) => result.code);
        expect(codes.slice(1)).toEqual(['VALID', 'VALID', 'VALID']);
      }
    },
  );

  it.each(BROKEN_MANAGEMENT_KEYS)(
    'a management key can still be revoked after: %s',
    async (text) => {
      const { id } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
      await sql.query(text, [id]);
      await pair.first.call('POST', `/v1/management-keys/${id}/revoke`, { body: {} });
      expect(await revokedAt('management_keys', id)).not.toBeNull();
    },
  );

  it.each([
    `update workspaces set revision = 2147483647 where id = $1`,
    `update workspaces set created_at = 'infinity', updated_at = '-infinity' where id = $1`,
    `update workspaces set available_scopes = '"x"', max_lifetime_seconds = -1 where id = $1`,
  ])('a workspace can still be suspended, and its keys revoked, after: %s', async (text) => {
    await putWorkspace(pair.first, 'bent');
    const { id } = await createKey(pair.first, { workspaceId: 'bent' });
    await sql.query(text, ['bent']);
    await pair.first.call('POST', '/v1/workspaces/bent/suspend', { body: {} });
    const { rows } = await sql.query(`select status from workspaces where id = 'bent'`);
    expect(rows).toEqual([{ status: 'suspended' }]);
    await pair.first.call('POST', `/v1/keys/${id}/revoke`, { body: {} });
    expect(await revokedAt('keys', id)).not.toBeNull();
    await sql.query(`update workspaces set available_scopes = null, status = 'active',
                       revision = 1, created_at = now(), updated_at = now(),
                       max_lifetime_seconds = null where id = 'bent'`);
  });
});
