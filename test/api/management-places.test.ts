import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Answer, type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { holdRows, untilWaiting } from '../support/locks.ts';
import { usedBounds } from '../support/metrics.ts';
import { createManagementKey, putWorkspace, tally } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

/** Four places, of which a flood finds two, and two for urgent calls alone. */
const POOL_SIZE = 6;
const FLOODED = 2;
/** More than may wait of one workspace. */
const FLOOD = 150;
const PERMISSIONS = ['keys:read', 'keys:write', 'keys:revoke', 'keys:verify'] as const;

let database: TestDatabase;
let instance: Instance;
let flooder: string;
let neighbour: string;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url, { poolSize: POOL_SIZE });
  flooder = await callerOf('flooder');
  neighbour = await callerOf('neighbour');
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});
beforeEach(async () => {
  expect((await usedBounds(instance)).get('management_waiting')).toBe(0);
});

async function callerOf(workspaceId: string): Promise<string> {
  await putWorkspace(instance, workspaceId);
  const { key } = await createManagementKey(instance, { workspaceId, permissions: PERMISSIONS });
  return key;
}

/** Calls of one workspace that wait for a locked row, as many as find a place; the rest waits. */
async function flood(calls: number) {
  const { id } = await createKey(instance, { workspaceId: 'flooder' });
  const release = await holdRows(database.url, 'select from keys where id = $1', [id]);
  // Refused once they have the row, so that the end of a flood takes no time.
  const options = { as: flooder, body: { name: 'x' }, headers: { 'if-match': '"other"' } };
  const answers = Array.from({ length: calls }, () =>
    instance.call('PATCH', `/v1/keys/${id}`, options),
  );
  await untilWaiting(database.url, FLOODED);
  return {
    id,
    end: async (): Promise<Answer[]> => {
      await release();
      return Promise.all(answers);
    },
  };
}

it('calls of a workspace are answered at once while another one has more calls than there are places', async () => {
  const { end } = await flood(20);
  for (let i = 0; i < 3; i++) {
    const body = { name: 'a key', workspaceId: 'neighbour' };
    const { status } = await instance.call('POST', '/v1/keys', { as: neighbour, body });
    expect(status).toBe(201);
    const list = await instance.call('GET', '/v1/keys?workspaceId=neighbour', { as: neighbour });
    expect(list.status).toBe(200);
  }
  expect(tally(await end())).toEqual({ '412 PRECONDITION_FAILED': 20 });
});

it('a revocation is answered at once while all other calls of its own workspace wait', async () => {
  const { key, id } = await createKey(instance, { workspaceId: 'flooder' });
  const { end } = await flood(20);
  const url = `/v1/keys/${id}/revoke`;
  expect((await instance.call('POST', url, { as: flooder, body: {} })).status).toBe(200);
  const verified = await instance.call('POST', '/v1/verify', { body: { key } });
  expect(verified.body.code).toBe('REVOKED');
  await end();
});

it('the holder of a key may give it up while all management calls wait', async () => {
  const { key } = await createKey(instance, { workspaceId: 'neighbour' });
  const { end } = await flood(20);
  expect((await instance.call('POST', '/v1/whoami/revoke', { as: key })).status).toBe(204);
  await end();
});

it('a workspace with more calls than may wait is refused with 503 and Retry-After, and no other one', async () => {
  const { end } = await flood(FLOOD);
  const body = { name: 'a key', workspaceId: 'neighbour' };
  const { status } = await instance.call('POST', '/v1/keys', { as: neighbour, body });
  expect(status).toBe(201);
  const answers = await end();
  const refused = answers.filter((answer) => answer.status === 503);
  expect(refused.length).toBe(FLOOD - FLOODED - 128);
  expect(new Set(refused.map((answer) => answer.body.code))).toEqual(new Set(['OVERLOADED']));
  expect(refused[0]?.headers['retry-after']).toBe('1');
});

it('a rotation is served before the many new keys that another workspace creates', async () => {
  const { id } = await createKey(instance, { workspaceId: 'neighbour' });
  const ended: string[] = [];
  const creations = Array.from({ length: 40 }, async () => {
    const body = { name: 'a key', workspaceId: 'flooder' };
    const { status } = await instance.call('POST', '/v1/keys', { as: flooder, body });
    ended.push(`created ${status}`);
  });
  const options = { as: neighbour, body: { graceSeconds: 0, workspaceId: 'neighbour' } };
  const { status } = await instance.call('POST', `/v1/keys/${id}/rotate`, options);
  expect(status).toBe(200);
  expect(ended.length).toBeLessThan(20);
  await Promise.all(creations);
  expect(new Set(ended)).toEqual(new Set(['created 201']));
});

it('HEAD of a list takes one place and gives it back', async () => {
  for (let i = 0; i < 2 * POOL_SIZE; i++) {
    const headers = { authorization: `Bearer ${ROOT_KEY}` };
    const answer = await instance.service.app.inject({ method: 'HEAD', url: '/v1/keys', headers });
    expect(answer.statusCode).toBe(200);
  }
});
