import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clientOf, createKey, verdictOf } from '../support/client.ts';
import { createTestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { runProgram, startProgram } from '../support/program.ts';
import { ok } from '../support/shared-program.ts';

const ROOT_KEY = 'root-key-of-the-operations-0123456789';
const OTHER_ROOT_KEY = 'another-root-key-of-operations-0123456789';
const SECRET = 'secret-of-the-operations-0123456789';
const OTHER_SECRET = 'another-secret-of-the-operations-0123456789';

/** Instances on one database, each started with its own settings. */
async function installation() {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const base = { DATABASE_URL: database.url, KEYWARD_ROOT_KEY: ROOT_KEY, KEYWARD_SECRET: SECRET };
  const start = async (changed: Record<string, string> = {}) => {
    const settings = { ...base, ...changed };
    const program = await startProgram(settings);
    const root = clientOf(program.url, settings.KEYWARD_ROOT_KEY);
    return { ...program, root, stop: () => program.end('SIGTERM') };
  };
  const audit = (secret: string, ...options: string[]) =>
    runProgram({ ...base, KEYWARD_SECRET: secret }, { args: ['audit', 'verify', ...options] });
  return { start, audit };
}

const ROTATIONS = { timeout: 120_000 };

describe('the rotations of docs/operations.md', ROTATIONS, () => {
  it('KEYWARD_SECRET is rotated one instance after the other: every key stays valid, every revocation is immediate, and the log is verified with both', async () => {
    const { start, audit } = await installation();
    const [one, two] = [await start(), await start()];
    const old = await createKey(one.root, 'made with the former secret');
    expect((await one.stop()).code).toBe(0);
    const other = { KEYWARD_SECRET: OTHER_SECRET };
    const renewed = await start(other);
    expect(renewed.stdout()).toContain('is not the one that this database was last used with');
    const fresh = await createKey(renewed.root, 'made with the other secret');
    for (const { root } of [renewed, two]) {
      for (const { key } of [old, fresh]) expect(await verdictOf(root, key)).toBe('VALID');
    }
    await ok(renewed.root.POST('/v1/keys/{id}/revoke', { params: { path: { id: fresh.id } } }));
    expect(await verdictOf(two.root, fresh.key)).toBe('REVOKED');
    expect((await two.stop()).code).toBe(0);
    const last = await start(other);
    for (const { root } of [renewed, last]) expect(await verdictOf(root, old.key)).toBe('VALID');

    expect((await audit(OTHER_SECRET)).code).toBe(1);
    const former = join(await temporaryFolder('keyward-former-'), 'former-secret');
    await writeFile(former, SECRET, { mode: 0o600 });
    const checked = await audit(OTHER_SECRET, '--former-secret-file', former);
    expect([checked.code, checked.stdout]).toEqual([0, expect.stringContaining('intact')]);
  });

  it('the root key is rotated one instance after the other: the former one ends where it is replaced, and management keys go on', async () => {
    const { start } = await installation();
    const [one, two] = [await start(), await start()];
    const body = { name: 'a service', permissions: ['keys:verify' as const] };
    const service = (await ok(one.root.POST('/v1/management-keys', { body }))).key ?? '';
    const { key } = await createKey(one.root, 'a key');
    const statusOf = async (url: string, as: string) =>
      (await clientOf(url, as).GET('/v1/keys')).response.status;
    expect((await one.stop()).code).toBe(0);
    const renewed = await start({ KEYWARD_ROOT_KEY: OTHER_ROOT_KEY });
    expect(await statusOf(renewed.url, ROOT_KEY)).toBe(401);
    expect(await statusOf(renewed.url, OTHER_ROOT_KEY)).toBe(200);
    expect(await statusOf(two.url, ROOT_KEY)).toBe(200);
    for (const { url } of [renewed, two])
      expect(await verdictOf(clientOf(url, service), key)).toBe('VALID');
    expect((await two.stop()).code).toBe(0);
    const last = await start({ KEYWARD_ROOT_KEY: OTHER_ROOT_KEY });
    for (const { url } of [renewed, last]) {
      expect(await statusOf(url, ROOT_KEY)).toBe(401);
      expect(await verdictOf(clientOf(url, service), key)).toBe('VALID');
    }
  });
});
