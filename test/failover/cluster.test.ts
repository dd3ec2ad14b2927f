import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { callOverHttp } from '../history/harness/http-call.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { startNginx } from './nginx.ts';
import { answers, breaksOff, CHANGES, startUpstream } from './upstreams.ts';

/** deploy/compose/cluster/nginx.conf with the real nginx. */
const NGINX = process.env.KEYWARD_TEST_NGINX ?? '';
const FILE = new URL('../../deploy/compose/cluster/nginx.conf', import.meta.url);

/** One of three instances breaks off; each gets one of three requests in turn. */
async function sendThrice(request: string) {
  const upstreams = [
    await startUpstream(0, breaksOff),
    await startUpstream(1, answers),
    await startUpstream(2, answers),
  ];
  const port = await startCluster(upstreams.map((upstream) => upstream.port));
  const [method = '', path = ''] = request.split(' ');
  const target = { port, agent: new Agent(), timeoutMs: 10_000 };
  const statuses: number[] = [];
  for (const _ of upstreams) {
    statuses.push((await callOverHttp(target, method, path, {})).status);
  }
  const received = upstreams.flatMap((upstream) => upstream.received);
  return { statuses: statuses.sort(), received: received.length };
}

async function startCluster(instances: readonly number[]): Promise<number> {
  const folder = await temporaryFolder('keyward-cluster-');
  const port = await freePort();
  const text = await readFile(FILE, 'utf8');
  const [, http = ''] = /^http \{\n(.*)^\}/ms.exec(text) ?? [];
  const site = http
    .replace('access_log off;', '')
    .replace('listen 8080;', `listen 127.0.0.1:${port};`)
    .replaceAll(/keyward-(\d):8080/g, (_, number) => `127.0.0.1:${instances[number - 1]}`);
  await writeFile(join(folder, 'site.conf'), site);
  const nginx = await startNginx(NGINX, folder, port);
  onTestFinished(() => nginx.end());
  return port;
}

describe.runIf(NGINX !== '')('the cluster of deploy/compose', () => {
  it.each(CHANGES)(
    'the load balancer of the cluster sends to no second instance what the first may have processed: %s',
    async (request) => {
      expect(await sendThrice(request)).toEqual({ statuses: [200, 200, 502], received: 3 });
    },
  );

  it('the load balancer of the cluster lets another instance answer a read that one broke off', async () => {
    expect(await sendThrice('GET /v1/keys')).toEqual({ statuses: [200, 200, 200], received: 4 });
  });
});
