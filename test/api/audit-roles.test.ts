import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { deleteOldBatchSequences } from '../../src/db/batch-sequences.ts';
import { grantStatements } from '../../src/db/grants.ts';
import { expectedMigrations, migrate } from '../../src/db/migrate.ts';
import { pruneFeed } from '../../src/freshness/feed-pruning.ts';
import { deleteOldAnswers } from '../../src/unit-of-work/idempotency-store.ts';
import { deleteDeliveriesOfEnded } from '../../src/webhooks/deliveries/store.ts';
import { checkAuditLog } from '../support/audit-log.ts';
import { runInProcess } from '../support/command.ts';
import { connect, ormOf } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { addRecent, instantOf, sumsOf } from '../support/kept-usage.ts';
import { RECEIVER } from '../support/webhook-calls.ts';

const DOCUMENT = new URL('../../docs/database-roles.md', import.meta.url);
/** Roles are shared by the whole server, so this run needs unique names. */
const OWN = `keyward_${randomBytes(6).toString('hex')}`;

/** The SQL of the document, step by step, for the roles and the database of this run. */
async function steps(): Promise<string[]> {
  const text = await readFile(DOCUMENT, 'utf8');
  return [...text.matchAll(/```sql\n(.*?)```/gs)].map(([, block = '']) =>
    block
      .replaceAll(/keyward_(owner|runtime)/g, `${OWN}_$1`)
      .replaceAll(/DATABASE keyward\b/g, `DATABASE ${OWN}`),
  );
}

function urlOf(database: string, role?: 'owner' | 'runtime'): string {
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${database}`;
  if (role) {
    url.username = `${OWN}_${role}`;
    url.password = `change-me-${role}`;
  }
  return url.href;
}

/** Runs the statements one by one, since CREATE DATABASE cannot be in a transaction. */
async function run(url: string, block: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of block.split(/;\s*\n/)) {
      if (statement.trim() !== '') await client.query(statement);
    }
  } finally {
    await client.end();
  }
}

/** Runs `keyward grants ROLE --apply` as the owner, or as another. */
function applyGrants(role: string, as: 'owner' | 'runtime' = 'owner') {
  return runInProcess(['grants', role, '--apply'], { DATABASE_URL: urlOf(OWN, as) });
}

describe('the roles that docs/database-roles.md makes', () => {
  const server = new URL(inject('postgresUrl')).href;
  const runtimeUrl = urlOf(OWN, 'runtime');
  let instance: Instance;
  let runtime: pg.Client;

  beforeAll(async () => {
    const [roles = '', schema = ''] = await steps();
    await run(server, roles);
    await run(urlOf(OWN), schema);
    await migrate(urlOf(OWN, 'owner'));
    for (let time = 1; time <= 2; time++) {
      expect(await applyGrants(`${OWN}_runtime`)).toEqual({
        code: 0,
        stdout: `${OWN}_runtime has what the service needs.\n`,
        stderr: '',
      });
    }
    // As every start of `keyward` does.
    await migrate(runtimeUrl);
    instance = await launch(runtimeUrl);
    runtime = new pg.Client({ connectionString: runtimeUrl });
    await runtime.connect();
  });
  afterAll(async () => {
    await runtime.end();
    await instance.stop();
    await run(
      server,
      `drop database ${OWN} with (force);\ndrop role ${OWN}_owner;\ndrop role ${OWN}_runtime;\n`,
    );
  });

  const call = async (method: string, path: string, body?: object, headers = {}) => {
    const answer = await instance.call(method, path, { body, headers });
    expect(`${method} ${path} ${answer.status}`).toMatch(/ 20[0-4]$/);
    return answer.body;
  };

  it('the runtime role can flush counters, bring them into shards, and fold them beside locked rows', async () => {
    const { key } = await call('POST', '/v1/keys', { name: 'counted' });
    for (const passing of [false, true]) {
      expect((await call('POST', '/v1/verify', { key })).code).toBe('VALID');
      await instance.service.internals.flusher.flush();
      await runtime.query('select shard_usage_log(1000, 16)');
      const fold = 'select fold_usage_log(shard, 1000, $1) from usage_log';
      const { rowCount } = await runtime.query(fold, [passing]);
      expect(rowCount).toBeGreaterThan(0);
    }
    expect((await runtime.query('select from usage_log')).rowCount).toBe(0);
  });

  it('the runtime role can do everything the service does with a workspace, its keys and a management key', async () => {
    await call('PUT', '/v1/workspaces/acme', { name: 'Acme' });
    await call('PATCH', '/v1/workspaces/acme', { maxActiveKeys: 100 });
    const workspaceId = 'acme';
    const inAcme = '?workspaceId=acme';
    const retry = { 'idempotency-key': 'once' };
    const { id, key } = await call('POST', '/v1/keys', { name: 'a', workspaceId }, retry);
    expect((await call('POST', '/v1/keys', { name: 'a', workspaceId }, retry)).id).toBe(id);
    expect((await call('POST', '/v1/verify', { key })).code).toBe('VALID');
    await call('PATCH', `/v1/keys/${id}${inAcme}`, { name: 'b', enabled: false });
    await call('PATCH', `/v1/keys/${id}${inAcme}`, { enabled: true });
    const rotated = await call('POST', `/v1/keys/${id}/rotate`, { workspaceId, graceSeconds: 60 });
    await call('DELETE', `/v1/keys/${id}/retiring-secret${inAcme}`);
    expect((await call('POST', '/v1/verify', { key: rotated.key })).code).toBe('VALID');
    expect((await call('POST', '/v1/verify', { key })).code).toBe('NOT_FOUND');
    await instance.flush();
    await call('GET', `/v1/keys/${id}/usage${inAcme}`);
    await call('PATCH', `/v1/keys/${id}${inAcme}`, { ownerId: 'o' });
    await call('DELETE', `/v1/owners/o/personal-data${inAcme}`);
    await call('POST', `/v1/keys/${id}/revoke`, { workspaceId, reason: 'test' });
    await call('DELETE', `/v1/keys/${id}${inAcme}`);
    await call('POST', '/v1/workspaces/acme/suspend');
    await call('POST', '/v1/workspaces/acme/resume');
    const manager = await call('POST', '/v1/management-keys', {
      name: 'm',
      permissions: ['keys:read'],
    });
    await call('POST', `/v1/management-keys/${manager.id}/rotate`, { graceSeconds: 0 });
    await call('POST', `/v1/management-keys/${manager.id}/revoke`);
    await call('DELETE', '/v1/workspaces/acme');
    expect((await call('GET', `/v1/audit-events${inAcme}`)).data.length).toBeGreaterThan(8);
    expect(await call('GET', '/readyz')).toMatchObject({ status: 'ok' });
  });

  it('the runtime role can do everything the service does with webhooks and their deliveries', async () => {
    const body = { url: RECEIVER, eventTypes: ['key.created'] };
    const { id } = await call('POST', '/v1/webhooks', body);
    await call('PATCH', `/v1/webhooks/${id}`, { description: 'Chat' });
    await call('POST', `/v1/webhooks/${id}/rotate-secret`, { graceSeconds: 60 });
    await call('POST', '/v1/keys', { name: 'told' });
    await call('POST', `/v1/webhooks/${id}/ping`);
    const { data } = await call('GET', `/v1/webhooks/${id}/deliveries`);
    expect(data).toMatchObject([{ eventType: 'webhook.ping' }, { eventType: 'key.created' }]);
    await call('POST', `/v1/webhooks/${id}/redeliver`, { deliveryId: data[1].id });
    await call('POST', `/v1/webhooks/${id}/redeliver`, { after: '2020-01-01T00:00:00Z' });
    await call('DELETE', `/v1/webhooks/${id}`);
    await deleteDeliveriesOfEnded(ormOf(runtime));
    expect((await call('GET', '/v1/webhooks')).data).toEqual([]);
  });

  it('the runtime role can verify keys with limits and credits', async () => {
    const rateLimits = [{ name: 'minute', limit: 2, windowSeconds: 60 }];
    const { key } = await call('POST', '/v1/keys', { name: 'limited', rateLimits });
    expect((await call('POST', '/v1/verify', { key })).code).toBe('VALID');
  });

  it('the runtime role can run the maintenance of the service', async () => {
    const orm = ormOf(runtime);
    await deleteOldBatchSequences(orm);
    await deleteOldAnswers(orm);
    // Not while any transaction of the server is in progress that began before.
    const pruned = async () => {
      await pruneFeed(orm, 0);
      const { rows } = await runtime.query('select count(*)::int as rows from change_feed');
      expect(rows[0].rows).toBe(0);
    };
    await vi.waitFor(pruned, { timeout: 20_000 });
  });

  it('the runtime role can run retention, which makes and drops partitions, moves usage and removes keys', async () => {
    const owner = await connect(urlOf(OWN, 'owner'));
    const { id } = await call('POST', '/v1/keys', { name: 'long gone' });
    await call('DELETE', `/v1/keys/${id}`);
    await owner.query('update keys set deleted_at = $2 where id = $1', [id, instantOf(100)]);
    for (const daysAgo of [2, 20, 200, 700]) await addRecent(owner, daysAgo, 5, { key: id });
    await owner.query('select make_usage_partitions($1, $2)', [instantOf(100), '2020-01-01']);
    const { retention } = instance.service.internals;
    await retention.run();
    const done = Object.fromEntries(retention.jobs.map(({ name, rows }) => [name, rows]));
    expect(done).toMatchObject({ move_recent: 4, remove_deleted_keys: 1 });
    expect(done.drop_partitions).toBeGreaterThan(60);
    expect(retention.jobs.filter(({ failures }) => failures > 0)).toEqual([]);
    expect(await sumsOf(owner)).toMatchObject({ hours: 2, days: 3, months: 1 });
  });

  it('a stolen connection of the runtime role cannot drop young hours or days, nor remove a key that is not deleted or was deleted yesterday', async () => {
    const { id } = await call('POST', '/v1/keys', { name: 'deleted yesterday' });
    await call('DELETE', `/v1/keys/${id}`);
    const owner = await connect(urlOf(OWN, 'owner'));
    await owner.query('update keys set deleted_at = $2 where id = $1', [id, instantOf(1)]);
    const state = async () => {
      const { rows } = await owner.query(
        `select (select count(*)::int from keys) as keys, (select count(*)::int from secrets) as secrets,
                (select sum(count)::int from usage_hours where hour >= date_trunc('day', now(), 'UTC') - interval '1 day') as hours,
                (select sum(count)::int from usage_days where day > now() - interval '35 days') as days`,
      );
      return rows[0];
    };
    await addRecent(owner, 1, 23, { key: id });
    await instance.service.internals.retention.run();
    await runtime.query(`select move_usage($1, '-infinity', '-infinity', '', '', 100)`, [
      instantOf(0),
    ]);
    const before = await state();
    expect(before).toMatchObject({ hours: 1, days: 3 });
    for (const statement of [
      `select move_usage_days('infinity', '', '', 100)`,
      `select remove_deleted_keys('infinity', 100)`,
      `select remove_retired_secrets('infinity', 100)`,
      ...Array.from({ length: 8 }, () => `select drop_usage_partition('infinity', 'infinity')`),
    ]) {
      await runtime.query(statement);
    }
    expect(await state()).toEqual(before);
  });

  it.each([
    'update audit_events set payload = payload',
    'delete from audit_events',
    'truncate audit_events',
    'alter table audit_events disable trigger user',
    'drop trigger audit_append_only on audit_events',
    'drop table audit_events',
    'set session_replication_role = replica',
    `set role ${OWN}_owner`,
    'create table own_table (id int)',
    'create or replace function refuse_audit_change() returns trigger language plpgsql as $$ begin return null; end $$',
    `update audit_checkpoints set sequence = 1`,
    `insert into audit_checkpoints values ('default', 1, 'x', now())`,
    'update installation set id = 2',
    'delete from keys',
    'delete from secrets',
    'delete from usage_recent',
    'update usage_recent set count = 0',
    'delete from usage_unmatched',
    'truncate usage_months',
    'update usage_hours set count = 0',
    `insert into usage_days values ('w', 'key', now(), 'ref', 'VALID', 1, 1)`,
    'drop table usage_days',
    'update key_usage set total = 0',
    'update secret_usage set total = 0',
    'delete from audit_heads',
    `update audit_heads set sequence = 1`,
    `update audit_heads set hash = 'x'`,
    `insert into audit_heads values ('elsewhere', 7, 'x')`,
    `insert into audit_events (workspace_id, sequence, payload, hash)
     values ('default', 999999, '{}', repeat('f', 64))`,
    `insert into audit_events (workspace_id, sequence, payload, hash)
     values ('elsewhere', 1, '{}', 'no hash')`,
    `update keys set workspace_id = 'default'`,
    `update keys set id = id`,
    `update secrets set key_id = key_id`,
    `update secrets set ref = ref`,
    `update management_keys set workspace_id = null`,
    'alter table keys disable trigger user',
  ])('a stolen connection of the runtime role cannot: %s', async (statement) => {
    await runtime.query(`select set_config('keyward.audit_retention', 'on', false)`);
    await expect(runtime.query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('a stolen connection of the runtime role cannot undo a revocation or a deletion, revive or extend an ended string, or replace a hash', async () => {
    const { id, key } = await call('POST', '/v1/keys', { name: 'ended' });
    await call('POST', `/v1/keys/${id}/rotate`, { graceSeconds: 60 });
    const manager = { name: 'm', permissions: ['keys:read'] };
    const { id: managerId } = await call('POST', '/v1/management-keys', manager);
    await call('POST', `/v1/management-keys/${managerId}/revoke`);
    const refuse = async (statement: string, ...values: string[]) =>
      expect(runtime.query(statement, values)).rejects.toMatchObject({ code: '42501' });
    const ofKey = `where key_id = $1 and status = 'retiring'`;
    await refuse(`update secrets set valid_until = now() + interval '1 day' ${ofKey}`, id);
    await refuse(`update secrets set hash = ref ${ofKey}`, id);
    await refuse(`update secrets set hash = '$argon2id$v=19$x' ${ofKey}`, id);
    await call('DELETE', `/v1/keys/${id}/retiring-secret`);
    await runtime.query(`update secrets set status = 'retired' where key_id = $1`, [id]);
    for (const status of ['current', 'retiring']) {
      await refuse(`update secrets set status = $2 where key_id = $1`, id, status);
    }
    await call('DELETE', `/v1/keys/${id}`);
    for (const [table, column, ended] of [
      ['keys', 'revoked_at', id],
      ['keys', 'deleted_at', id],
      ['management_keys', 'revoked_at', managerId],
    ]) {
      await refuse(`update ${table} set ${column} = null where id = $1`, String(ended));
      await refuse(`update ${table} set ${column} = now() where id = $1`, String(ended));
    }
    expect((await call('POST', '/v1/verify', { key })).code).toBe('NOT_FOUND');
  });

  it('a stolen connection of the runtime role cannot hide a revocation: what the feed loses to it, every instance forgets', async () => {
    const { id, key } = await call('POST', '/v1/keys', { name: 'hidden' });
    expect((await call('POST', '/v1/verify', { key })).code).toBe('VALID');
    await runtime.query('update keys set revoked_at = now() where id = $1', [id]);
    const refuse = (statement: string) =>
      expect(runtime.query(statement)).rejects.toMatchObject({ code: '42501' });
    const raise = 'update feed_pruned set below = pg_snapshot_xmin(pg_current_snapshot())';
    await refuse('delete from change_feed');
    await refuse(`update feed_pruned set below = '9000000000000'`);
    await runtime.query('begin');
    await runtime.query(raise);
    await refuse(`update feed_pruned set below = '0'`);
    await runtime.query('rollback');
    // Not while any transaction of the server is in progress that began before.
    const erased = async () => {
      await runtime.query(raise);
      await runtime.query('delete from change_feed where txid < (select below from feed_pruned)');
      const left = 'select from change_feed where id = $1';
      expect((await runtime.query(left, [id])).rowCount).toBe(0);
    };
    await vi.waitFor(erased, { timeout: 20_000 });
    expect((await call('POST', '/v1/verify', { key })).code).toBe('REVOKED');
  });

  it('the version before can write audit entries as it did, also with the rights that this version grants', async () => {
    const zero = '0'.repeat(64);
    const upsert = (rest: string) => `insert into audit_heads values ('upgraded', $1, $2) ${rest}`;
    for (const sequence of [1, 2, 3]) {
      const hash = String(sequence).repeat(64);
      const payload = { id: 'evt_1', action: 'key.updated', time: 'now', actor: { id: 'me' } };
      await runtime.query('begin');
      await runtime.query(upsert('on conflict do nothing'), [0, zero]);
      const select = `select sequence::int from audit_heads where workspace_id = 'upgraded' for update`;
      expect((await runtime.query(select)).rows).toEqual([{ sequence: sequence - 1 }]);
      await runtime.query(
        `insert into audit_events (workspace_id, sequence, payload, hash)
         values ('upgraded', $1, $2, $3)`,
        [sequence, JSON.stringify(payload), hash],
      );
      const set = 'set sequence = excluded.sequence, hash = excluded.hash';
      await runtime.query(upsert(`on conflict (workspace_id) do update ${set}`), [sequence, hash]);
      await runtime.query('commit');
    }
  });

  it('the audit log is intact after everything the roles did', async () => {
    const client = await connect(urlOf(OWN));
    expect((await checkAuditLog(client, 'default')).problem).toBeNull();
  });

  it('the runtime role can read every table and sequence, as a dump of the whole database does', async () => {
    const { rows } = await runtime.query<{ name: string; kind: string }>(
      `select oid::regclass::text as name, relkind as kind from pg_class
        where relnamespace in ('public'::regnamespace, 'drizzle'::regnamespace)
          and relkind in ('r', 'p', 'S')`,
    );
    expect(rows.map(({ kind }) => kind)).toContain('S');
    expect(rows.filter(({ name }) => /^usage_(days|hours)_\d+$/.test(name)).length).toBeGreaterThan(
      10,
    );
    await runtime.query('begin isolation level repeatable read, read only');
    for (const { name, kind } of rows) {
      if (kind !== 'S') await runtime.query(`lock table ${name} in access share mode`);
      await runtime.query(`select * from ${name} limit 1`);
    }
    await runtime.query('rollback');
  });

  it('keyward grants takes away what a role had before and the service does not need', async () => {
    const owner = await connect(urlOf(OWN, 'owner'));
    await owner.query(`grant all on keys, drizzle.__drizzle_migrations to ${OWN}_runtime`);
    await applyGrants(`${OWN}_runtime`);
    for (const table of ['keys', 'drizzle.__drizzle_migrations']) {
      await expect(runtime.query(`delete from ${table}`)).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('keyward grants prints for any name of a role the SQL that it would apply, and needs no database', async () => {
    const { code, stdout } = await runInProcess(['grants', 'odd "role"'], {});
    expect(code).toBe(0);
    expect(stdout).toBe(`BEGIN;\n${grantStatements('odd "role"')}COMMIT;\n`);
    expect(stdout).toContain('ON feed_pruned TO "odd ""role""";');
    const owner = await connect(urlOf(OWN, 'owner'));
    await owner.query((await runInProcess(['grants', `${OWN}_runtime`], {})).stdout);
  });

  it('keyward grants --apply refuses a role that is not there, the owner itself, and a user that is not the owner', async () => {
    const refusal = (sentence: RegExp) => ({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(sentence),
    });
    expect(await applyGrants('nobody')).toEqual(
      refusal(/^keyward: There is no role nobody; create it first\.\n$/),
    );
    expect(await applyGrants(`${OWN}_owner`)).toEqual(refusal(/_owner owns the tables, or .*\n$/));
    expect(await applyGrants(`${OWN}_runtime`, 'runtime')).toEqual(
      refusal(/^keyward: The user in DATABASE_URL does not own the tables; .*\n$/),
    );
    const embedded = await runInProcess(['grants', 'nobody', '--apply'], {});
    expect(embedded).toEqual(refusal(/^keyward: Set DATABASE_URL; .*\n$/));
    expect(await runInProcess(['grants', ''], {})).toEqual(
      refusal(/^keyward: ROLE: must be .*\n$/),
    );
  });
});

describe('a user who may not change the schema', () => {
  it('a start as a user who may not change the schema says that migrations are pending, and how to run them', async () => {
    const name = `keyward_${randomBytes(6).toString('hex')}`;
    const server = inject('postgresUrl');
    await run(server, `create role ${name} login password 'p';\ncreate database ${name};\n`);
    const url = new URL(urlOf(name));
    url.username = name;
    url.password = 'p';
    const refused = new RegExp(`\\(${expectedMigrations()} migrations\\); run .keyward migrate.`);
    await expect(migrate(url.href)).rejects.toThrow(refused);

    const admin = await connect(urlOf(name));
    await migrate(urlOf(name));
    await expect(migrate(url.href)).rejects.toThrow(refused);
    await admin.query(`grant usage on schema drizzle to ${name}`);
    await admin.query(`grant select on drizzle.__drizzle_migrations to ${name}`);
    await migrate(url.href);
    await admin.query(
      `delete from drizzle.__drizzle_migrations
        where created_at = (select max(created_at) from drizzle.__drizzle_migrations)`,
    );
    await expect(migrate(url.href)).rejects.toThrow(/\(1 migrations\); run .keyward migrate./);
    await run(server, `drop database ${name} with (force);\ndrop role ${name};\n`);
  });
});
