import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import type { Answer, CallOptions } from '../support/instance.ts';
import { auditOf, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const ATTEMPTS = 3;
const DEADLOCK = '40P01';
const SERIALIZATION_FAILURE = '40001';

describe('a change that Postgres undoes', () => {
  const pair = usePair();
  let sql: pg.Client;

  beforeEach(async () => {
    sql = await connect(pair.databaseUrl);
    // A sequence goes on also when its transaction is undone.
    await sql.query(`
      create sequence attempts;
      create function undo() returns trigger language plpgsql as $$
      begin
        if nextval('attempts') <= tg_argv[0]::bigint then
          raise exception 'undone' using errcode = tg_argv[1];
        end if;
        return new;
      end $$`);
  });
  afterEach(() => sql.query('drop function undo cascade; drop sequence attempts'));

  /** The first attempts fail with this SQLSTATE when they write their audit entry. */
  const undo = (times: number, state: string) =>
    sql.query(`create trigger undo before insert on audit_events
               for each row execute function undo(${times}, '${state}')`);
  /** The same, but only when they commit. */
  const undoAtCommit = (times: number, state: string) =>
    sql.query(`create constraint trigger undo after insert on audit_events
               deferrable initially deferred
               for each row execute function undo(${times}, '${state}')`);
  const attempts = async () =>
    (await sql.query('select last_value::int as made from attempts')).rows[0].made;
  const revisionOf = async (id: string) =>
    (await pair.second.call('GET', `/v1/keys/${id}`)).headers.etag;
  const code = ({ status, body }: Answer) => `${status} ${body?.code}`;

  it.each([
    ['a deadlock', DEADLOCK, undo],
    ['a serialization failure', SERIALIZATION_FAILURE, undo],
    ['a deadlock at its commit', DEADLOCK, undoAtCommit],
    ['a serialization failure at its commit', SERIALIZATION_FAILURE, undoAtCommit],
  ])('after %s a change is made again, and once in the end', async (_what, state, fail) => {
    const { id } = await createKey(pair.first);
    await fail(ATTEMPTS - 1, state);
    const patch = { body: { name: 'changed' } };
    const answer = await pair.first.call('PATCH', `/v1/keys/${id}`, patch);
    expect(answer.status).toBe(200);
    expect(await attempts()).toBe(ATTEMPTS);
    expect(answer.headers.etag).toBe('"2"');
    expect(await revisionOf(id)).toBe('"2"');
    const actions = (await auditOf(pair.first, id)).map((e: { action: string }) => e.action);
    expect(actions).toEqual(['key.updated', 'key.created']);
  });

  it('a change that is undone three times is given up: 503 with Retry-After, and nothing of it is left', async () => {
    const { id, key } = await createKey(pair.first);
    await undo(ATTEMPTS, DEADLOCK);
    const answer = await pair.first.call('POST', `/v1/keys/${id}/revoke`);
    expect(code(answer)).toBe('503 UNAVAILABLE');
    expect(answer.headers['retry-after']).toBe('1');
    expect(await attempts()).toBe(ATTEMPTS);
    expect(await verdict(pair.second, key)).toBe('VALID');
    expect(await auditOf(pair.first, id)).toHaveLength(1);
  });

  it('a change that Postgres refuses for another reason is not made again', async () => {
    const { id, key } = await createKey(pair.first);
    await undo(ATTEMPTS, '23514');
    expect(code(await pair.first.call('POST', `/v1/keys/${id}/revoke`))).toBe('500 INTERNAL');
    expect(await attempts()).toBe(1);
    expect(await verdict(pair.second, key)).toBe('VALID');
  });

  it('a creation, a rotation and a giving up that are made again are made once, and their strings hold', async () => {
    const given = await createKey(pair.first);
    const post = async (url: string, options: CallOptions) => {
      await sql.query(`alter sequence attempts restart`);
      const answer = await pair.first.call('POST', url, options);
      expect(answer.status).toBeLessThan(300);
      expect(await attempts()).toBe(2);
      return answer.body;
    };
    await undo(1, DEADLOCK);
    const headers = { 'idempotency-key': 'made-again' };
    const created = await post('/v1/keys', { body: { name: 'made again' }, headers });
    const url = `/v1/keys/${created.id}/rotate`;
    const rotated = await post(url, { body: { graceSeconds: 0 } });
    await post('/v1/whoami/revoke', { as: given.key });
    expect(await verdict(pair.second, created.key)).toBe('NOT_FOUND');
    expect(await verdict(pair.second, rotated.key)).toBe('VALID');
    expect(await verdict(pair.second, given.key)).toBe('REVOKED');
    const { body } = await pair.second.call('GET', '/v1/keys?search=made%20again');
    expect(body.data).toHaveLength(1);
    const replay = { body: { name: 'made again' }, headers };
    const again = await pair.second.call('POST', '/v1/keys', replay);
    expect(again.body).toEqual({ ...created, key: null });
  });
});
