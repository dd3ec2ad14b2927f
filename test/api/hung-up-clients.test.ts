import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { metric, usedBounds } from '../support/metrics.ts';
import { createManagementKey } from '../support/pair.ts';
import { head, listen, RawConnection } from '../support/raw-http.ts';
import { interceptQuery } from '../support/statements.ts';

let database: TestDatabase;
let instance: Instance;
let port: number;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
  port = await listen(instance);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

/** Holds up every fence, which all that is not answered from memory waits for. */
function holdFences() {
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  onTestFinished(() => gate.resolve());
  const { database } = instance.service.internals;
  const restore = interceptQuery(database, 'fence', async (send) => {
    asked.resolve();
    await gate.promise;
    return send();
  });
  onTestFinished(restore);
  return { asked: asked.promise, release: () => gate.resolve() };
}

const BOUNDS = ['connections', 'requests', 'body_bytes', 'unsent_answers', 'management_calls'];

async function used(): Promise<[string, number][]> {
  const all = await usedBounds(instance);
  return BOUNDS.map((bound) => [bound, all.get(bound) ?? Number.NaN]);
}

const NONE = BOUNDS.map((bound) => [bound, 0]);

const BODY = '{"key":"x"}';
const WITH_BODY = { 'Content-Type': 'application/json', 'Content-Length': BODY.length };

it.each([
  ['POST /v1/verify', BODY],
  ['POST /v1/verify/batch', BODY],
  ['POST /v1/introspect', BODY],
  ['POST /v1/keys', BODY],
  ['GET /v1/keys', ''],
  ['POST /v1/authorize', ''],
])(
  'a client of %s that hangs up before it is known who it is leaves no place and no bytes taken',
  async (call, body) => {
    const { key } = await createManagementKey(instance, {
      permissions: ['keys:verify', 'keys:read', 'keys:write'],
    });
    const fences = holdFences();
    const connection = await RawConnection.open(port);
    const credential = {
      Authorization: `Bearer ${key}`,
      'X-Keyward-Authorization': `Bearer ${key}`,
    };
    connection.send(head(call, { ...credential, ...(body && WITH_BODY) }) + body);
    await fences.asked;
    connection.socket.destroy();
    const connections = () => metric(instance, 'keyward_bound_used{bound="connections"}');
    await expect.poll(connections, { interval: 5 }).toBe(0);
    fences.release();
    // It waits for the same fence and the same load.
    expect((await instance.call('GET', '/v1/keys', { as: key })).status).toBe(200);
    await expect.poll(used, { interval: 5 }).toEqual(NONE);
  },
);
