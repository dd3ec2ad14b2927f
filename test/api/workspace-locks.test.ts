import { createHash } from 'node:crypto';
import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { connect } from '../support/database.ts';
import type { Answer } from '../support/instance.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey, insertKey } from '../support/sql-keys.ts';

const PLAIN = 'read';

describe('how changes of keys use their workspace', () => {
  const pair = usePair();
  const call = (method: string, url: string, body?: object) =>
    pair.first.call(method, url, { ...(body && { body }) });

  it.each([
    [null, 'key share'],
    [10, 'update'],
  ])(
    'with maxActiveKeys %s, a creation reads the workspace once and locks it once',
    async (maxActiveKeys, lock) => {
      await putWorkspace(pair.first, 'counted', { maxActiveKeys });
      const body = { name: 'a key', workspaceId: 'counted' };
      const { answer, statements } = await recordWorkspaceStatements(() =>
        call('POST', '/v1/keys', body),
      );
      expect({ status: answer.status, statements }).toEqual({
        status: 201,
        statements: [PLAIN, lock],
      });
    },
  );

  it.each([
    [null, 'key share'],
    [10, 'update'],
  ])(
    'with maxActiveKeys %s, an import reads the workspace once and locks it once',
    async (maxActiveKeys, lock) => {
      await putWorkspace(pair.first, 'imported', { maxActiveKeys });
      const body = { workspaceId: 'imported', keys: [importItem(`counted ${maxActiveKeys}`)] };
      const { answer, statements } = await recordWorkspaceStatements(() =>
        call('POST', '/v1/keys/import', body),
      );
      expect({ status: answer.status, statements }).toEqual({
        status: 200,
        statements: [PLAIN, lock],
      });
    },
  );

  it('a patch of a key reads the workspace once, and locks it if an expired key is extended', async () => {
    await putWorkspace(pair.first, 'patched', { maxActiveKeys: 10 });
    const { id } = await createKey(pair.first, { workspaceId: 'patched', expiresInSeconds: 60 });
    const url = `/v1/keys/${id}?workspaceId=patched`;
    const patch = (body: object) => recordWorkspaceStatements(() => call('PATCH', url, body));
    expect((await patch({ name: 'renamed' })).statements).toEqual([PLAIN]);
    pair.advance(60_000);
    expect((await patch({ name: 'expired' })).statements).toEqual([PLAIN]);
    const extended = await patch({ expiresInSeconds: 60 });
    expect(extended.answer.body.status).toBe('active');
    expect(extended.statements).toEqual([PLAIN, 'update']);
  });

  it('a suspension does not wait for an import in progress', async () => {
    await putWorkspace(pair.first, 'busy');
    const blocked = await importInFlight('busy');
    const suspension = await pair.second.call('POST', '/v1/workspaces/busy/suspend');
    expect(suspension.body).toMatchObject({ status: 'suspended' });
    expect(await blocked.finish()).toMatchObject({ status: 200, body: { created: 1 } });
  });

  it('a change of the policies waits for an import in progress, and so does a deletion', async () => {
    await putWorkspace(pair.first, 'waiting');
    const blocked = await importInFlight('waiting');
    const order: string[] = [];
    const note = (name: string) => (answer: Answer) => {
      order.push(name);
      return answer.status;
    };
    const url = '/v1/workspaces/waiting';
    const changes = [
      pair.second.call('PATCH', url, { body: { maxActiveKeys: 0 } }).then(note('change')),
      pair.second.call('DELETE', url).then(note('change')),
    ];
    await untilWaiting(3);
    const imported = await blocked.finish().then(note('import'));
    expect([imported, ...(await Promise.all(changes))]).toEqual([
      200,
      expect.toBeOneOf([200, 404]),
      204,
    ]);
    expect(order).toEqual(['import', 'change', 'change']);
  });

  /**
   * An import that waits within its transaction for the digest of a key that another one inserts.
   */
  async function importInFlight(workspaceId: string) {
    const key = `in flight in ${workspaceId}`;
    const { hash } = importItem(key);
    const blocker = await connect(pair.databaseUrl);
    await blocker.query('begin');
    await insertKey(blocker, {
      id: `key_${workspaceId}`,
      ref: `sha256:${hash.value}@${workspaceId}`,
    });
    const body = { workspaceId, keys: [importItem(key)] };
    const answer = pair.first.call('POST', '/v1/keys/import', { body });
    await untilWaiting(1);
    const finish = async () => {
      await blocker.query('rollback');
      return answer;
    };
    return { finish };
  }

  function importItem(key: string) {
    const value = createHash('sha256').update(key).digest('hex');
    return { name: key, hash: { algorithm: 'sha256', value } };
  }

  /** Resolves once this many statements of the database wait for a lock. */
  async function untilWaiting(count: number): Promise<void> {
    const observer = await connect(pair.databaseUrl);
    await vi.waitUntil(
      async () => {
        const { rows } = await observer.query<{ waiting: number }>(
          `select count(*)::int as waiting from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return (rows[0]?.waiting ?? 0) >= count;
      },
      { timeout: 10_000, interval: 0 },
    );
  }
});

/** What is sent about rows of `workspaces` meanwhile: a plain read, or the lock that it takes. */
async function recordWorkspaceStatements(work: () => Promise<Answer>) {
  const query = vi.spyOn(pg.Client.prototype, 'query');
  try {
    const answer = await work();
    const texts = query.mock.calls.map(([config]) => textOf(config));
    const statements = texts
      .filter((text) => text.includes('from "workspaces"'))
      .map((text) => / for (.*)$/.exec(text)?.[1] ?? PLAIN);
    return { answer, statements };
  } finally {
    query.mockRestore();
  }
}

function textOf(config: unknown): string {
  if (typeof config === 'string') return config;
  const isConfig = typeof config === 'object' && config !== null && 'text' in config;
  return isConfig ? String(config.text) : '';
}
