import { spawnSync } from 'node:child_process';
import { chown, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createKey, rootClient, verdictOf } from '../support/client.ts';
import { emptyDataFolder } from '../support/data-folder.ts';
import { startProgram } from '../support/program.ts';

const NOBODY = 65534;
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describe('what others can see of a running program', { timeout: 60_000 }, () => {
  it('the files of the program are readable by their owner only', async () => {
    const directory = await emptyDataFolder();
    await startProgram({ KEYWARD_DATA_DIR: directory });
    const open = [];
    for (const path of await everythingIn(directory)) {
      const { mode } = await stat(path).catch(() => ({ mode: 0 }));
      if ((mode & 0o077) !== 0) open.push(path);
    }
    expect(open).toEqual([]);
    for (const name of ['root-key', 'secret', 'postgres/password']) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    }
  });

  it('the program prints neither a key nor anything it generated, not even at the finest log level', async () => {
    const directory = await emptyDataFolder();
    const program = await startProgram({ KEYWARD_DATA_DIR: directory, LOG_LEVEL: 'trace' });
    const client = await rootClient(program, directory);
    const { key } = await createKey(client, 'secret');
    expect(await verdictOf(client, key)).toBe('VALID');
    await misuse(program.url, key);
    await program.end('SIGTERM');

    const printed = program.stdout() + program.stderr();
    expect(printed).toContain('/v1/verify');
    const files = ['root-key', 'secret', 'postgres/password'];
    const secrets = files.map((name) => readFile(join(directory, name), 'utf8'));
    for (const secret of [key, ...(await Promise.all(secrets))]) {
      expect(printed).not.toContain(secret.trim());
    }
  });

  it.skipIf(!nobodyCanRun())('the program works for an ordinary user', async () => {
    const directory = await emptyDataFolder();
    await chown(directory, NOBODY, NOBODY);
    const program = await startProgram({ KEYWARD_DATA_DIR: directory }, { uid: NOBODY });
    const client = await rootClient(program, directory);
    const { key } = await createKey(client, 'of nobody');
    expect(await verdictOf(client, key)).toBe('VALID');
    expect(await program.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect((await stat(join(directory, 'root-key'))).uid).toBe(NOBODY);
  });
});

/** Sends a key everywhere a careless caller could: path, query, headers, malformed bodies. */
async function misuse(url: string, key: string): Promise<void> {
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/v1/verify`, { method: 'POST', body, headers });
  const json = { 'content-type': 'application/json' };
  await fetch(`${url}/v1/keys/${key}?key=${key}`, { headers: { authorization: `Bearer ${key}` } });
  await fetch(`${url}/${key}`, { headers: { 'x-request-id': key, 'user-agent': key } });
  await post(`{"key": "${key}"`, json);
  await post(JSON.stringify({ key, [key]: 1 }), { ...json, authorization: `Bearer ${key}` });
  await post(key, { 'content-type': key });
}

async function everythingIn(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.map((name) => join(directory, name));
}

/** Whether root can run the program as another user. */
function nobodyCanRun(): boolean {
  if (process.getuid?.() !== 0) return false;
  const account = { uid: NOBODY, gid: NOBODY, cwd: '/' };
  return spawnSync(process.execPath, ['--check', MAIN], account).status === 0;
}
