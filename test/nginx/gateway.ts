import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/program.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/nginx/', import.meta.url));
const INSTALLED = '/etc/nginx/keyward/';
const START_ATTEMPTS = 100;
/** The nginx program; without it these tests are skipped. */
export const NGINX = process.env.KEYWARD_TEST_NGINX ?? '';

/** A request that an API behind the gateway has received. */
interface Seen {
  url: string | undefined;
  headers: IncomingHttpHeaders;
}

export interface Gateway {
  send: (path: string, headers?: Record<string, string>, method?: string) => Promise<Answer>;
  /** Requests that reached the API, in order. */
  seen: Seen[];
}

export interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

/**
 * Starts the real nginx with the files of deploy/nginx, in front of an API that records its
 * requests.
 */
export async function openGateway(keywardUrl: string, managementKey: string): Promise<Gateway> {
  const folder = await temporaryFolder('keyward-nginx-');
  const seen: Seen[] = [];
  const api = await listenAsApi(seen);
  const port = await freePort();
  const keyward = new URL(keywardUrl).host;
  await install(folder, managementKey, { keyward, api: `127.0.0.1:${api}`, port });
  await startNginx(folder, port);
  return { seen, send: (path, headers, method) => send(port, path, headers, method) };
}

async function listenAsApi(seen: Seen[]): Promise<number> {
  const server = createServer(({ url, headers }, response) => {
    seen.push({ url, headers });
    response.end('from the API');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the API listens');
  return address.port;
}

interface Addresses {
  keyward: string;
  api: string;
  port: number;
}

/** Installs the files unchanged, except for addresses and paths. */
async function install(folder: string, managementKey: string, deps: Addresses): Promise<void> {
  const here = (text: string) => text.replaceAll(INSTALLED, `${folder}/`);
  for (const name of ['keyward-server.conf', 'keyward-protect.conf']) {
    await writeFile(join(folder, name), here(await readFile(join(DEPLOY, name), 'utf8')));
  }
  const example = await readFile(join(DEPLOY, 'keyward-key.conf.example'), 'utf8');
  const credential = replaceOnce(example, 'kw_REPLACE_ME', managementKey);
  await writeFile(join(folder, 'keyward-key.conf'), credential, { mode: 0o600 });
  let site = here(await readFile(join(DEPLOY, 'keyward.conf'), 'utf8'));
  site = replaceOnce(site, 'server 127.0.0.1:8080;', `server ${deps.keyward};`);
  site = replaceOnce(site, 'server 127.0.0.1:3000;', `server ${deps.api};`);
  site = replaceOnce(site, 'listen 80;', `listen 127.0.0.1:${deps.port};`);
  await writeFile(join(folder, 'site.conf'), site);
  await writeFile(join(folder, 'nginx.conf'), frame(folder));
  await mkdir(join(folder, 'temp'));
}

/** What the nginx.conf of a distribution has around the sites. */
function frame(folder: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 256; }
    http { access_log off;
      ${kinds.map((kind) => `${kind}_temp_path ${folder}/temp/${kind};`).join(' ')}
      include ${folder}/site.conf; }`;
}

function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${from} stands ${parts.length - 1} times, not once`);
  return parts.join(to);
}

async function startNginx(folder: string, port: number): Promise<void> {
  const child = spawn(NGINX, ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  for (let attempt = 0; attempt < START_ATTEMPTS && isUp(child); attempt++) {
    if (await isListening(port)) return;
    await pause(20);
  }
  throw new Error(`nginx did not start: ${said}`);
}

const isUp = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const [listens] = await Promise.race([
    once(socket, 'connect').then(() => [true]),
    once(socket, 'error').then(() => [false]),
  ]).catch(() => [false]);
  socket.destroy();
  return listens === true;
}

/** Sends the path unchanged, since fetch would normalize it. */
async function send(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  const call = request({ host: '127.0.0.1', port, path, method, headers, agent: false }).end();
  const [response] = await once(call, 'response');
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}
