import { describe, expect, it, vi } from 'vitest';
import { clientOf, createKey, rootClient, usageOf, verdictOf } from '../support/client.ts';
import { emptyDataFolder } from '../support/data-folder.ts';
import { createTestDatabase } from '../support/database.ts';
import { startProgram } from '../support/program.ts';

const ROOT_KEY = 'root-key-of-the-acceptance-tests-0123456789';
const SEEN_WITHIN = { timeout: 2000, interval: 50 };

describe('the life of a key, over HTTP', () => {
  it('a key is VALID once created, its use shows within two seconds, and it is REVOKED at once', async () => {
    const directory = await emptyDataFolder();
    const program = await startProgram({ KEYWARD_DATA_DIR: directory });
    const client = await rootClient(program, directory);
    const { id, key } = await createKey(client, 'CI deploys');
    expect(await verdictOf(client, key)).toBe('VALID');
    await vi.waitFor(async () => {
      const { total, lastUsedAt } = await usageOf(client, id);
      expect({ total, lastUsedAt }).toEqual({ total: 1, lastUsedAt: expect.any(String) });
    }, SEEN_WITHIN);
    const { response } = await client.POST('/v1/keys/{id}/revoke', { params: { path: { id } } });
    expect(response.status).toBe(200);
    expect(await verdictOf(client, key)).toBe('REVOKED');
  });

  it('two programs on one database agree: what one revokes, the other refuses at once', async () => {
    const database = await createTestDatabase();
    const settings = { DATABASE_URL: database.url, KEYWARD_ROOT_KEY: ROOT_KEY };
    const programs = [await startProgram(settings), await startProgram(settings)];
    const [one, other] = programs.map(({ url }) => clientOf(url, ROOT_KEY));
    if (!one || !other) throw new Error('two programs were started');
    const { id, key } = await createKey(one, 'shared');
    // Twice each: a first load may meet the fence that names the new key, and is not held then.
    for (const client of [one, other, one, other]) {
      expect(await verdictOf(client, key)).toBe('VALID');
    }
    await vi.waitFor(async () => expect((await usageOf(other, id)).total).toBe(4), SEEN_WITHIN);
    await one.POST('/v1/keys/{id}/revoke', {
      params: { path: { id } },
      body: { reason: 'leaked' },
    });
    expect(await verdictOf(other, key)).toBe('REVOKED');
    expect(await verdictOf(one, key)).toBe('REVOKED');
    for (const program of programs) await program.end('SIGTERM');
    await database.drop();
  });
});
