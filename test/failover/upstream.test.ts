import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { LoadBalancer } from './load-balancer.ts';
import { answers, breaksOff, CHANGES, startUpstream, type Upstream } from './upstreams.ts';

/** deploy/nginx/keyward-upstream.conf with the real nginx. */
const NGINX = process.env.KEYWARD_TEST_NGINX ?? '';
/** In turns over three servers, so that each has one of them. */
const REQUESTS = 3;

type Upstreams = readonly Pick<Upstream, 'number' | 'port'>[];

async function through(upstreams: Upstreams) {
  const folder = await temporaryFolder('keyward-upstream-');
  const loadBalancer = await LoadBalancer.start(NGINX, folder, upstreams);
  onTestFinished(() => loadBalancer.end());
  return { door: loadBalancer.door(), folder };
}

async function sendThrough(upstreams: Upstreams, request: string) {
  const { door } = await through(upstreams);
  const [method = '', path = ''] = request.split(' ');
  const body = ['POST', 'PATCH', 'PUT'].includes(method) ? {} : undefined;
  const statuses: number[] = [];
  for (let sent = 0; sent < REQUESTS; sent++) {
    const { status } = await door.call(method, path, {}, body);
    statuses.push(status);
  }
  return statuses.sort();
}

describe.runIf(NGINX !== '')('several instances behind nginx', () => {
  it.each(CHANGES)(
    'a request that an instance may have processed before it broke off is not sent to another one: %s',
    async (request) => {
      const broken = await startUpstream(0, breaksOff);
      const others = [await startUpstream(1, answers), await startUpstream(2, answers)];
      expect(await sendThrough([broken, ...others], request)).toEqual([200, 200, 502]);
      const received = [broken, ...others].flatMap((upstream) => upstream.received);
      expect(received).toHaveLength(REQUESTS);
    },
  );

  it('a read that an instance broke off is answered by another one', async () => {
    const broken = await startUpstream(0, breaksOff);
    const other = await startUpstream(1, answers);
    expect(await sendThrough([broken, other], 'GET /v1/keys?limit=2')).toEqual([200, 200, 200]);
    expect(broken.received).toHaveLength(1);
  });

  it.each(['POST /v1/verify', 'PATCH /v1/keys/key_1', 'GET /v1/keys'])(
    'a request that an absent instance cannot have received goes to another one: %s',
    async (request) => {
      const absent = { number: 0, port: await freePort() };
      const other = await startUpstream(1, answers);
      expect(await sendThrough([absent, other], request)).toEqual([200, 200, 200]);
      expect(other.received).toHaveLength(REQUESTS);
    },
  );

  it('a 503 of an instance is passed on as it is, and asked of no other one', async () => {
    const refusing = await startUpstream(0, (_request, response) => {
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '7' });
      response.end('{"code":"OVERLOADED"}');
    });
    const other = await startUpstream(1, answers);
    const { door } = await through([refusing]);
    expect(await door.call('POST', '/v1/verify', {}, {})).toMatchObject({
      status: 503,
      body: { code: 'OVERLOADED' },
    });
    expect(await sendThrough([refusing, other], 'POST /v1/verify')).toContain(503);
    expect(refusing.received.length + other.received.length).toBe(1 + REQUESTS);
  });

  it('without an answer of any instance, the load balancer says so as a problem in JSON', async () => {
    const { door } = await through([{ number: 0, port: await freePort() }]);
    expect(await door.call('POST', '/v1/verify', {}, {})).toMatchObject({
      status: 502,
      body: { status: 502, code: 'UNAVAILABLE' },
    });
  });

  it.each(['/metrics', '/livez', '/readyz'])(
    'what is of one instance is not to be had through the load balancer: %s',
    async (path) => {
      const upstream = await startUpstream(0, answers);
      const { door } = await through([upstream]);
      expect((await door.call('GET', path, {})).status).toBe(404);
      expect(upstream.received).toEqual([]);
    },
  );

  it('a body and an answer of a megabyte are passed on, and are in no file meanwhile', async () => {
    const text = JSON.stringify({ keys: ['x'.repeat(1e6)] });
    const upstream = await startUpstream(0, (_request, response) => {
      response.setHeader('content-type', 'application/json').end(text);
    });
    const { door, folder } = await through([upstream]);
    const changed = () =>
      Promise.all(['client_body', 'proxy'].map((kind) => stat(join(folder, 'temp', kind))));
    const before = await changed();
    const { status, body } = await door.call('POST', '/v1/keys/import', {}, JSON.parse(text));
    expect(status).toBe(200);
    expect(body).toEqual(JSON.parse(text));
    expect((await changed()).map(({ mtimeMs }) => mtimeMs)).toEqual(
      before.map(({ mtimeMs }) => mtimeMs),
    );
  });
});
