import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { dumpDatabase, encodingsOf } from '../support/database-dump.ts';
import { partsOf } from '../support/forged-key.ts';
import { ROOT_KEY } from '../support/instance.ts';
import { alertsOf, outcomes, report, reportAndWait, untilHandled } from '../support/leaks.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const URL = 'https://example.com/pastes/42';
const HOUR_MS = 3_600_000;

describe('leaked keys', () => {
  const pair = usePair({ leakReports: true });
  const rotate = (id: string, body: object) =>
    pair.first.call('POST', `/v1/keys/${id}/rotate`, { body });
  const actionsOf = async (id: string, workspaceId?: string) =>
    (await auditOf(pair.first, id, workspaceId)).map(({ action }: { action: string }) => action);
  const responsesOf = async (id: string) =>
    (await alertsOf(pair.databaseUrl, id)).map(({ details }) => details.response);
  const workspace = async (id: string, body: object = {}) => {
    await putWorkspace(pair.first, id, body);
    return (more: object = {}) => createKey(pair.first, { workspaceId: id, ...more });
  };

  it('a key that is reported as leaked is revoked on every instance, and alerted of with where it was found', async () => {
    const { id, key } = await createKey(pair.first);
    for (const one of [pair.first, pair.second]) expect(await verdict(one, key)).toBe('VALID');
    const { status, text } = await report(pair.first, { key, url: URL, source: 'paste' });
    expect([status, text]).toEqual([202, '']);
    await untilHandled(pair.first);
    for (const one of [pair.second, pair.first]) expect(await verdict(one, key)).toBe('REVOKED');
    const by = { type: 'system', id: 'leak-reports', onBehalfOf: null };
    const [alert, revocation] = await auditOf(pair.first, id);
    const found = { response: 'revoked', url: URL, source: 'paste', reportedBy: 'anyone' };
    expect(alert).toMatchObject({ action: 'alert.key_leaked', actor: by });
    expect(alert.after.details).toMatchObject(found);
    expect(revocation).toMatchObject({ action: 'key.revoked', actor: by });
    expect(revocation.after).toMatchObject({ revokeReason: 'leaked' });
    expect(await alertsOf(pair.databaseUrl, id)).toMatchObject([
      { type: 'key_leaked', workspace_id: 'default', target_type: 'key', details: found },
    ]);
  });

  it('a key that is reported many times, to several instances at once, is revoked and alerted of once', async () => {
    const { id, key } = await createKey(pair.first);
    const both = [pair.first, pair.second];
    await Promise.all(both.map((one) => report(one, key, key, { key, url: URL })));
    await untilHandled(...both);
    await reportAndWait(pair.second, key);
    expect(await actionsOf(id)).toEqual(['alert.key_leaked', 'key.revoked', 'key.created']);
  });

  it('with the policy rotate the string of a key is valid for an hour, and nobody is shown the next one', async () => {
    const create = await workspace('rotates', { leakResponse: 'rotate' });
    const { id, key } = await create();
    await reportAndWait(pair.first, { key, url: URL });
    expect(await verdict(pair.second, key)).toBe('VALID');
    const [alert, rotation] = await auditOf(pair.first, id, 'rotates');
    expect(alert).toMatchObject({ after: { details: { response: 'rotated', url: URL } } });
    expect(rotation).toMatchObject({ action: 'key.rotated', actor: { id: 'leak-reports' } });
    expect(rotation.after).toMatchObject({ graceSeconds: 3600, reason: 'leaked' });
    await reportAndWait(pair.second, key);
    expect(await actionsOf(id, 'rotates')).toEqual([
      ...['alert.key_leaked', 'key.rotated', 'key.created'],
    ]);
    pair.advance(HOUR_MS);
    for (const one of [pair.first, pair.second]) expect(await verdict(one, key)).toBe('NOT_FOUND');
    const next = await rotate(id, { graceSeconds: 0 });
    expect(await verdict(pair.second, next.body.key)).toBe('VALID');
  });

  it('with the policy rotate, where the audit log of the workspace is full, the key is revoked', async () => {
    const create = await workspace('full', { leakResponse: 'rotate' });
    const { id, key } = await create();
    await putWorkspace(pair.first, 'full', { leakResponse: 'rotate', maxAuditEvents: 1 });
    await reportAndWait(pair.first, key);
    expect(await verdict(pair.second, key)).toBe('REVOKED');
    expect(await responsesOf(id)).toEqual(['revoked']);
  });

  it('a string that a rotation has replaced ends at once, and the key goes on with its current one', async () => {
    const { id, key } = await createKey(pair.first);
    const { body } = await rotate(id, { graceSeconds: 86_400 });
    await reportAndWait(pair.first, key);
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
    expect(await verdict(pair.second, body.key)).toBe('VALID');
    expect(await responsesOf(id)).toEqual(['grace_ended']);
  });

  it('with the policy rotate the grace of a string that was replaced is shortened to an hour', async () => {
    const create = await workspace('shortens', { leakResponse: 'rotate' });
    const { id, key } = await create();
    const { body } = await rotate(id, { graceSeconds: 86_400 });
    await reportAndWait(pair.first, key);
    expect(await verdict(pair.second, key)).toBe('VALID');
    expect(await responsesOf(id)).toEqual(['grace_shortened']);
    pair.advance(HOUR_MS);
    expect(await verdict(pair.second, key)).toBe('NOT_FOUND');
    expect(await verdict(pair.second, body.key)).toBe('VALID');
  });

  it('a string that has ended is alerted of, and nothing happens to its key', async () => {
    const { id, key } = await createKey(pair.first);
    const { body } = await rotate(id, { graceSeconds: 0 });
    await reportAndWait(pair.first, { key, url: URL });
    expect(await verdict(pair.second, body.key)).toBe('VALID');
    expect(await responsesOf(id)).toEqual(['none']);
    const revoked = await createKey(pair.first);
    await pair.first.call('POST', `/v1/keys/${revoked.id}/revoke`, { body: { reason: 'moved' } });
    await reportAndWait(pair.first, revoked.key);
    const shown = await pair.first.call('GET', `/v1/keys/${revoked.id}`);
    expect(shown.body.revokeReason).toBe('moved');
    expect(await responsesOf(revoked.id)).toEqual(['none']);
  });

  it('a key that has expired is revoked too, so that no extension makes its leaked string valid', async () => {
    const { id, key } = await createKey(pair.first, { expiresInSeconds: 60 });
    pair.advance(60_000);
    await reportAndWait(pair.first, key);
    expect(await responsesOf(id)).toEqual(['revoked']);
  });

  it('a string of a deleted key, or of a deleted workspace, is passed over', async () => {
    const create = await workspace('closed');
    const [first, second] = [await createKey(pair.first), await create()];
    await pair.first.call('DELETE', `/v1/keys/${first.id}`);
    await pair.first.call('DELETE', '/v1/workspaces/closed');
    await reportAndWait(pair.first, first.key, second.key);
    for (const { id } of [first, second]) expect(await responsesOf(id)).toEqual([]);
  });

  it('a management key that leaks is revoked with what it created', async () => {
    const permissions = ['keys:read', 'management:read', 'management:write'] as const;
    const { id, key } = await createManagementKey(pair.first, { permissions });
    const made = await pair.first.call('POST', '/v1/management-keys', {
      as: key,
      body: { name: 'made by a thief', workspaceId: null, permissions: ['keys:read'] },
    });
    await reportAndWait(pair.first, { key, url: URL });
    for (const as of [key, made.body.key]) {
      expect((await pair.second.call('GET', '/v1/keys', { as })).status).toBe(401);
    }
    expect(await alertsOf(pair.databaseUrl, id)).toMatchObject([
      { target_type: 'management_key', details: { response: 'revoked', url: URL } },
    ]);
    await reportAndWait(pair.second, key);
    const actions = ['alert.key_leaked', 'management_key.revoked', 'management_key.created'];
    expect(await actionsOf(id)).toEqual(actions);
  });

  it('a management key of a workspace is alerted of there, and not in a workspace that was made again', async () => {
    await workspace('tenant');
    const permissions = ['keys:read'] as const;
    const make = () =>
      createManagementKey(pair.first, { permissions, workspaceId: 'tenant', expiresInSeconds: 60 });
    const [former, later] = [await make(), await make()];
    await reportAndWait(pair.first, former.key);
    expect(await alertsOf(pair.databaseUrl, former.id)).toMatchObject([{ workspace_id: 'tenant' }]);
    await pair.first.call('DELETE', '/v1/workspaces/tenant');
    pair.advance(1000);
    await putWorkspace(pair.first, 'tenant');
    await reportAndWait(pair.first, later.key);
    expect(await alertsOf(pair.databaseUrl, later.id)).toEqual([]);
  });

  it('an imported key that leaks is found by its digest and revoked', async () => {
    const old = 'of-another-system-0123456789';
    const value = createHash('sha256').update(old).digest('hex');
    const keys = [{ name: 'imported', start: 'of-an', hash: { algorithm: 'sha256', value } }];
    await pair.first.call('POST', '/v1/keys/import', { body: { keys } });
    expect(await verdict(pair.second, old)).toBe('VALID');
    await reportAndWait(pair.first, { key: old, url: `https://example.com/${old}` });
    expect(await verdict(pair.second, old)).toBe('REVOKED');
    expect(await dumpDatabase(pair.databaseUrl)).not.toContain(old);
  });

  it('a root key that leaks is told of in the log, for nothing can revoke it', async () => {
    await reportAndWait(pair.first, { key: ROOT_KEY, url: URL });
    const lines = pair.first.logLines.map((line) => JSON.parse(line));
    expect(lines.filter(({ event }) => event === 'leak.root_key')).toMatchObject([
      { level: 'error' },
    ]);
  });

  it.each([
    ['as it is', (key: string) => `https://example.com/?q=${key}`],
    ['in a fragment', (key: string) => `https://example.com/#${key}`],
    ['without its prefix', (key: string) => `https://example.com/${key.slice(-49)}`],
    ['in part', (key: string) => `https://example.com/${key.slice(-40, -20)}`],
    ['in capitals', (key: string) => `https://example.com/${key.toUpperCase()}`],
    ['percent-encoded', (key: string) => `https://example.com/${encoded(key)}`],
    ['encoded twice', (key: string) => `https://example.com/${encodeURIComponent(encoded(key))}`],
    ['behind what cannot be decoded', (key: string) => `https://example.com/%zz${encoded(key)}`],
    ['as a password', (key: string) => `https://me:${key}@example.com/`],
    ['as no address', (key: string) => key],
    ['in a script', (key: string) => `javascript:alert("${key}")`],
  ])('an address that has the key in it, %s, is not stored', async (_how, urlWith) => {
    const { id, key } = await createKey(pair.first);
    await reportAndWait(pair.first, { key, url: urlWith(key), source: key.slice(-60) });
    const [{ details }] = await alertsOf(pair.databaseUrl, id);
    expect([null, 'https://example.com/']).toContain(details.url);
    expect(details.source).toBeNull();
    const dump = (await dumpDatabase(pair.databaseUrl)).toLowerCase();
    expect(dump).not.toContain(partsOf(key).secret.slice(5, 25).toLowerCase());
    expect(dump).not.toContain(encoded(key).toLowerCase());
  });

  it('an address that has another key in it is not stored', async () => {
    const [one, other] = [await createKey(pair.first), await createKey(pair.first)];
    await reportAndWait(pair.first, { key: one.key, url: `https://example.com/${other.key}` });
    expect((await alertsOf(pair.databaseUrl, one.id))[0].details.url).toBeNull();
  });

  it('a report that fails is tried again, and its key is revoked when the database takes it', async () => {
    const { key } = await createKey(pair.first);
    const client = await connect(pair.databaseUrl);
    await client.query('alter table alerts rename to alerts_away');
    await report(pair.first, key);
    const failed = () => pair.first.logLines.some((line) => line.includes('leak.not_handled'));
    await expect.poll(failed).toBe(true);
    await client.query('alter table alerts_away rename to alerts');
    await untilHandled(pair.first);
    expect(await verdict(pair.second, key)).toBe('REVOKED');
  });

  it('a string that is reported is in no row and in no line of the log', async () => {
    const { key } = await createKey(pair.first);
    const permissions = ['keys:read'] as const;
    const manager = await createManagementKey(pair.first, { permissions });
    const before = await outcomes(pair.first);
    await reportAndWait(pair.first, { key, url: URL }, { key: manager.key, url: URL });
    expect((await outcomes(pair.first)).matched).toBe(before.matched + 2);
    const texts = [
      await dumpDatabase(pair.databaseUrl),
      ...[pair.first, pair.second].map(({ logLines }) => logLines.join('')),
    ];
    for (const secret of [key, manager.key, partsOf(key).secret, partsOf(manager.key).secret]) {
      for (const disguise of encodingsOf(secret)) {
        expect(texts.some((text) => text.includes(disguise))).toBe(false);
      }
    }
  });
});

/** Every character of it. */
function encoded(key: string): string {
  return [...key].map((it) => `%${it.charCodeAt(0).toString(16)}`).join('');
}
