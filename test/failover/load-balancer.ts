import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Door } from '../history/harness/client.ts';
import { callOverHttp } from '../history/harness/http-call.ts';
import { freePort, type Instance } from '../history/harness/instance.ts';

const SITE = fileURLToPath(new URL('../../deploy/nginx/keyward-upstream.conf', import.meta.url));
const SERVERS = /server (10\.[\d.]+:8080)/g;
const UPSTREAM = 'x-upstream';
/** Longer than any call may take. */
const CALL_TIMEOUT_MS = 25_000;
const UNKNOWN = -1;

/** The real nginx before the instances, with the file of deploy/, changed in its addresses alone. */
export class LoadBalancer {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #instances: readonly Instance[];

  private constructor(child: ChildProcess, port: number, instances: readonly Instance[]) {
    this.#child = child;
    this.#port = port;
    this.#instances = instances;
  }

  static async start(
    program: string,
    folder: string,
    instances: readonly Instance[],
  ): Promise<LoadBalancer> {
    const port = await freePort();
    await mkdir(join(folder, 'temp'), { recursive: true });
    const ports = instances.map((instance) => instance.port);
    await writeFile(join(folder, 'site.conf'), siteAt(await readFile(SITE, 'utf8'), port, ports));
    await writeFile(join(folder, 'nginx.conf'), frame(folder));
    const child = spawn(program, ['-p', folder, '-c', join(folder, 'nginx.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Ctrl-C must reach the checker only.
      detached: true,
    });
    const loadBalancer = new LoadBalancer(child, port, instances);
    await loadBalancer.#untilListening();
    return loadBalancer;
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
        return { status, body, instance: this.#answered(String(headers[UPSTREAM] ?? '')) };
      },
    };
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await ended;
  }

  /** Of several that were tried, the last one answered. */
  #answered(upstreams: string): number {
    const port = Number(/:(\d+)$/.exec(upstreams)?.[1]);
    return this.#instances.find((instance) => instance.port === port)?.number ?? UNKNOWN;
  }

  async #untilListening(): Promise<void> {
    let printed = '';
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-4000);
    });
    for (let attempt = 0; attempt < 200 && this.#child.exitCode === null; attempt++) {
      if (await isListening(this.#port)) return;
      await delay(20);
    }
    throw new Error(`nginx did not start: ${printed}`);
  }
}

function siteAt(text: string, port: number, ports: readonly number[]): string {
  const own = [...ports];
  const site = text
    .replaceAll(SERVERS, () => `server 127.0.0.1:${own.shift()}`)
    .replace(
      'listen 80;',
      `listen 127.0.0.1:${port}; add_header ${UPSTREAM} $upstream_addr always;`,
    )
    .replace(
      'add_header Retry-After 1 always;',
      `add_header Retry-After 1 always; add_header ${UPSTREAM} $upstream_addr always;`,
    );
  if (own.length > 0 || SERVERS.test(site)) throw new Error('the site has other addresses by now');
  return site;
}

/** What a distribution's nginx.conf has around the sites. */
function frame(folder: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off; worker_processes 2; pid ${folder}/pid; error_log stderr error;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 1024; }
    http { access_log off;
      ${kinds.map((kind) => `${kind}_temp_path ${folder}/temp/${kind};`).join(' ')}
      include ${folder}/site.conf; }`;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const listens = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return listens;
}
