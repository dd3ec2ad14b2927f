import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { UnsentAnswers } from '../../src/http/unsent-answers.ts';
import { memoryBudget } from '../../src/lib/memory-budget.ts';
import { connect } from '../support/database.ts';
import { launchForTest, ROOT_KEY } from '../support/instance.ts';
import { createManagementKey, usePair } from '../support/pair.ts';
import { head, listen, RawConnection } from '../support/raw-http.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';

const MIB = 1_048_576;
const SOON = { timeout: 20_000, interval: 20 };
const pair = usePair();

/** More than the buffers of two sockets hold. */
const ANSWER = 'x'.repeat(64 * MIB);

/** Answers one request with much, and gives the response. */
async function answering(unsent: UnsentAnswers): Promise<[number, Promise<ServerResponse>]> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_request, raw) => {
    unsent.watch({ raw }, 'a group', ANSWER);
    raw.end(ANSWER);
    resolve(raw);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port }: AddressInfo = Object(server.address());
  return [port, promise];
}

it('a client that reads nothing of a large answer is cut off, and its answer counts no more', async () => {
  const unsent = new UnsentAnswers(2 * ANSWER.length, 50);
  const [port, answered] = await answering(unsent);
  const client = await RawConnection.open(port);
  client.socket.pause();
  client.send(head('GET /'));
  const response = await answered;
  expect(unsent.resourceLimit.used()).toBe(ANSWER.length);
  expect(unsent.isFull('a group')).toBe(true);
  expect(unsent.isFull('another')).toBe(false);
  await once(response, 'close');
  expect(response.writableFinished).toBe(false);
  expect(unsent.resourceLimit.used()).toBe(0);
});

it('an answer that is streamed counts until its connection is closed, and its client is cut off like others', async () => {
  const unsent = new UnsentAnswers(64 * MIB, 50);
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_request, raw) => {
    unsent.watchStream({ raw }, 'a group');
    raw.write(ANSWER);
    resolve(raw);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port }: AddressInfo = Object(server.address());
  const client = await RawConnection.open(port);
  client.socket.pause();
  client.send(head('GET /'));
  const response = await promise;
  expect(unsent.resourceLimit.used()).toBeGreaterThan(MIB);
  await once(response, 'close');
  expect(unsent.resourceLimit.used()).toBe(0);
});

it('a client that reads is not cut off, however large its answer is', async () => {
  const unsent = new UnsentAnswers(2 * ANSWER.length);
  const [port, answered] = await answering(unsent);
  const response = await fetch(`http://127.0.0.1:${port}`);
  expect((await response.text()).length).toBe(ANSWER.length);
  await vi.waitFor(() => expect(unsent.resourceLimit.used()).toBe(0), SOON);
  expect((await answered).writableFinished).toBe(true);
});

it('a caller that does not read its large answers is refused further ones until they are gone, and another caller is answered', async () => {
  const memory = { ...memoryBudget(1024 * MIB), unsentBytes: 8 * MIB };
  const instance = await launchForTest(pair.databaseUrl, { memory });
  const { id, key } = await createKey(instance);
  const client = await connect(pair.databaseUrl);
  await client.query(
    `update keys set metadata = jsonb_build_object('m', repeat('m', 50000)) where id = $1`,
    [id],
  );
  const other = await createManagementKey(instance, { permissions: ['keys:read'] });
  const body = JSON.stringify({ requests: Array(100).fill({ key }) });
  const headers = {
    authorization: `Bearer ${ROOT_KEY}`,
    'content-type': 'application/json',
    'content-length': body.length,
  };
  const reader = await RawConnection.open(await listen(instance));
  reader.socket.pause();
  // More than the buffers of the two sockets hold.
  reader.send(`${head('POST /v1/verify/batch', headers)}${body}`.repeat(4));
  const list = (as: string) => instance.call('GET', '/v1/keys?limit=1', { as });
  await vi.waitFor(async () => expect((await list(ROOT_KEY)).status).toBe(503), SOON);
  expectProblem(await list(ROOT_KEY), { status: 503, code: 'OVERLOADED' });
  expect((await list(other.key)).status).toBe(200);
  reader.socket.destroy();
  await vi.waitFor(async () => expect((await list(ROOT_KEY)).status).toBe(200), SOON);
});
