import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Door } from '../history/harness/client.ts';
import { callOverHttp } from '../history/harness/http-call.ts';
import type { Instance } from '../history/harness/instance.ts';
import { freePort } from '../support/free-port.ts';
import { type Nginx, startNginx } from './nginx.ts';

const SITE = fileURLToPath(new URL('../../deploy/nginx/keyward-upstream.conf', import.meta.url));
const SERVER = /^ *server 10\..*;\n/m;
const SERVERS = new RegExp(SERVER, 'gm');
const UPSTREAM = 'x-upstream';
const SAY_UPSTREAM = `add_header ${UPSTREAM} $upstream_addr always;`;
/** Longer than any call may take. */
const CALL_TIMEOUT_MS = 25_000;
const UNKNOWN = -1;

type Upstream = Pick<Instance, 'number' | 'port'>;

/** The real nginx before the instances, with the file of deploy/, changed in its addresses alone. */
export class LoadBalancer {
  readonly #nginx: Nginx;
  readonly #port: number;
  readonly #upstreams: readonly Upstream[];

  private constructor(nginx: Nginx, port: number, upstreams: readonly Upstream[]) {
    this.#nginx = nginx;
    this.#port = port;
    this.#upstreams = upstreams;
  }

  static async start(
    program: string,
    folder: string,
    upstreams: readonly Upstream[],
  ): Promise<LoadBalancer> {
    const port = await freePort();
    await mkdir(folder, { recursive: true });
    const site = siteAt(await readFile(SITE, 'utf8'), port, upstreams);
    await writeFile(join(folder, 'site.conf'), site);
    return new LoadBalancer(await startNginx(program, folder, port), port, upstreams);
  }

  /** A way in for a client, with connections of its own. */
  door(): Door {
    const target = {
      port: this.#port,
      agent: new Agent({ keepAlive: true, maxSockets: 64 }),
      timeoutMs: CALL_TIMEOUT_MS,
    };
    return {
      number: UNKNOWN,
      call: async (...call) => {
        const { status, headers, body } = await callOverHttp(target, ...call);
        return { status, body, instance: this.#numberOf(String(headers[UPSTREAM] ?? '')) };
      },
    };
  }

  end(): Promise<void> {
    return this.#nginx.end();
  }

  /** Of several that were tried, the last one answered. */
  #numberOf(addresses: string): number {
    const port = Number(/:(\d+)$/.exec(addresses)?.[1]);
    return this.#upstreams.find((upstream) => upstream.port === port)?.number ?? UNKNOWN;
  }
}

/** The line of each server keeps what stands behind its address. */
function siteAt(text: string, port: number, upstreams: readonly Upstream[]): string {
  const line = SERVER.exec(text)?.[0];
  if (line === undefined) throw new Error('the site has other addresses by now');
  const lines = upstreams.map((own) => line.replace(/10\.[\d.:]+/, `127.0.0.1:${own.port}`));
  return text
    .replace(SERVER, lines.join(''))
    .replaceAll(SERVERS, '')
    .replace('listen 80;', `listen 127.0.0.1:${port}; ${SAY_UPSTREAM}`)
    .replace(
      'add_header Retry-After 1 always;',
      `add_header Retry-After 1 always; ${SAY_UPSTREAM}`,
    );
}
