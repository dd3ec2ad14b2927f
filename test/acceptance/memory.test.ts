import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { emptyDataFolder } from '../support/data-folder.ts';
import { launchProgram, type Program, waitUntilStarted } from '../support/program.ts';

const GIVEN = {
  KEYWARD_ROOT_KEY: 'root-key-that-must-not-be-found-0123456789',
  KEYWARD_SECRET: 'a secret that must not be found, 0123456789',
};

/** What is in the heap of a program once its garbage is collected, as text. */
async function heapOf(program: Program, folder: string): Promise<string> {
  const snapshots = async () =>
    (await readdir(folder)).filter((name) => /\.heapsnapshot$/.test(name));
  const before = await snapshots();
  program.child.kill('SIGUSR2');
  const read = async () => {
    const name = (await snapshots()).find((snapshot) => !before.includes(snapshot));
    // What is looked for has one byte a character.
    const text = name === undefined ? '' : await readFile(join(folder, name), 'latin1');
    // Its last part, so it is written whole.
    return /\]\s*\}\s*$/.test(text.slice(-100)) ? text : '';
  };
  return vi.waitUntil(read, { timeout: 60_000, interval: 500 });
}

async function startWithSnapshots(settings: Record<string, string>) {
  const folder = await emptyDataFolder();
  const NODE_OPTIONS = `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${folder}`;
  const environment = { KEYWARD_DATA_DIR: join(folder, 'data'), ...settings, NODE_OPTIONS };
  const program = await waitUntilStarted(launchProgram(environment));
  return { folder, program };
}

async function post(url: string, as: string, body: object) {
  const headers = { authorization: `Bearer ${as}`, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer: unknown = await response.json();
  return fieldsOf(answer);
}

function fieldsOf(answer: unknown): { key: string; code: string } {
  const { key = '', code = '' }: { key?: string; code?: string } = Object(answer);
  return { key, code };
}

describe('the memory of a running program', { timeout: 180_000 }, () => {
  it('holds neither the root key nor KEYWARD_SECRET in plain text, nor a key whose request is over', async () => {
    const { folder, program } = await startWithSnapshots(GIVEN);
    const rootKey = GIVEN.KEYWARD_ROOT_KEY;
    const { key } = await post(`${program.url}/v1/keys`, rootKey, { name: 'a key' });
    const verify = (presented: string) =>
      post(`${program.url}/v1/verify`, rootKey, { key: presented });
    expect((await verify(key)).code).toBe('VALID');
    // What serves a request may hold it until the next one.
    for (let i = 0; i < 20; i++) await verify(`stranger-${i}`);
    await fetch(`${program.url}/healthz`, { headers: { connection: 'close' } });
    const heap = await heapOf(program, folder);
    expect(heap.includes('keyward_fences_total')).toBe(true);
    for (const hidden of [rootKey, GIVEN.KEYWARD_SECRET, key]) {
      expect(heap.includes(hidden)).toBe(false);
    }
  });

  it('holds no secret that was generated for the embedded database', async () => {
    const { folder, program } = await startWithSnapshots({});
    const heap = await heapOf(program, folder);
    expect(heap.includes('keyward_fences_total')).toBe(true);
    for (const name of ['root-key', 'secret']) {
      const secret = await readFile(join(folder, 'data', name), 'utf8');
      expect(heap.includes(secret.trim())).toBe(false);
    }
  });
});
