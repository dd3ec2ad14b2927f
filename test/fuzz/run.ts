import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { explained } from '../../scripts/explained-options.ts';
import { Random } from '../history/harness/random.ts';
import { startGithubSigner } from '../support/github-signer.ts';
import { Checks, hasSigningSecret } from './checks.ts';
import { knownCodes, type OpenApi, type Operation, operationsOf } from './document.ts';
import { type HttpAnswer, Sender } from './http.ts';
import { startFuzzTarget } from './program.ts';
import { sendGarbage } from './raw.ts';
import { type FuzzedRequest, makeRequest } from './requests.ts';
import { Sentinel } from './sentinel.ts';
import { World } from './world.ts';

/**
 * Sends valid and invalid requests of every kind to the started program, and checks each answer:
 * `--requests 20000 --seed 1`. The same seed makes the same choices, but what depends on the order
 * of answers differs between two runs.
 */
const { values } = parseArgs({
  options: explained({ requests: { type: 'string' }, seed: { type: 'string' } }),
});
const REQUESTS = Number(values.requests ?? 20_000);
const SEED = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const CONNECTIONS = 16;
const DEADLINE_MS = 170_000;
/** Otherwise policies, suspensions and revoked keys would soon make every call fail. */
const RESTORE_EVERY = 250;
const SHOWN = 40;
const PERMISSIONS = [
  ...['keys:read', 'keys:write', 'keys:revoke', 'keys:verify', 'usage:read', 'audit:read'],
  ...['webhooks:read', 'webhooks:write', 'alerts:read', 'alerts:write'],
];
/** The one error that a request causes: the root key may be reported as leaked. */
const EXPECTED_ERROR = '"event":"leak.root_key"';

interface Finding {
  problem: string;
  request: string;
  answer: string;
}

const findings: Finding[] = [];
const statuses = new Map<string, number>();
const reached = new Set<string>();

process.exitCode = await main();

async function main(): Promise<number> {
  process.stdout.write(`seed ${SEED}\n`);
  const started = performance.now();
  const document: OpenApi = JSON.parse(
    await readFile(new URL('../../openapi/openapi.json', import.meta.url), 'utf8'),
  );
  const github = await startGithubSigner();
  const program = await startFuzzTarget({
    KEYWARD_GITHUB_KEYS_URL: github.url,
    // What the audit log says is then inspected with the rest of the log.
    KEYWARD_AUDIT_STDOUT: 'on',
  });
  const sender = new Sender(program.url, CONNECTIONS);
  const operations = operationsOf(document);
  const checks = new Checks(knownCodes(document), operations);
  let sent = 0;
  try {
    const world = new World(program.rootKey, github.headersOf);
    sent = await fuzz(operations, checks, sender, world);
  } finally {
    sender.close();
    github.close();
    const code = await program.stop();
    if (code !== 0) note(`the program ended with ${code}`);
    inspectLog(program.output(), program.rootKey, checks);
  }
  report(sent, operations, (performance.now() - started) / 1000);
  return findings.length === 0 && sent === REQUESTS ? 0 : 1;
}

async function fuzz(
  operations: readonly Operation[],
  checks: Checks,
  sender: Sender,
  world: World,
): Promise<number> {
  const call = (method: string, path: string, body?: object) =>
    sender.send({
      method,
      path,
      headers: { authorization: `Bearer ${world.rootKey}`, 'content-type': 'application/json' },
      body: body ? Buffer.from(JSON.stringify(body)) : null,
    });
  const make = (path: string, body: object, operation: string) =>
    call('POST', path, body).then((answer) => {
      world.learn(operation, answer);
      for (const key of world.issued) checks.addSecret(key);
    });
  const restore = async () => {
    for (const id of world.workspaceIds) {
      await call('PUT', `/v1/workspaces/${id}`, {});
      await call('POST', `/v1/workspaces/${id}/resume`);
    }
    const manager = { name: 'manager', permissions: PERMISSIONS, workspaceId: null };
    await make('/v1/management-keys', manager, 'createManagementKey');
    const bound = { ...manager, workspaceId: 'ws-one' };
    await make('/v1/management-keys', bound, 'createManagementKey');
    for (const workspaceId of world.workspaceIds) {
      const webhook = { workspaceId, url: 'http://127.0.0.1:9/' };
      await make('/v1/webhooks', webhook, 'createWebhook');
      await make('/v1/keys', { name: 'plain', workspaceId, scopes: ['read'] }, 'createKey');
      const rateLimits = [{ name: 'a', limit: 5, windowSeconds: 60 }];
      const limited = { name: 'limited', workspaceId, rateLimits, credits: { remaining: 9 } };
      await make('/v1/keys', limited, 'createKey');
    }
  };
  const sentinel = await Sentinel.make(call);
  checks.addSecret(sentinel.key);
  const random = new Random(SEED);
  const deadline = performance.now() + DEADLINE_MS;
  let begun = 0;
  let done = 0;
  const one = async () => {
    const own = random.fork();
    if (own.chance(0.03)) return noteAll(await sentinel.verify(own), 'POST /v1/verify', '');
    if (own.chance(0.01)) {
      const { sent, problems } = await sendGarbage(sender, world, own);
      return noteAll(problems, JSON.stringify(sent), '');
    }
    const request = makeRequest(operations, world, own);
    const answer = await sender.send(request).catch((error: unknown) => String(error));
    if (typeof answer === 'string') return noteUnanswered(request, answer);
    if (request.operation) world.learn(request.operation.id, answer);
    tally(request, answer);
    noteAll(checks.of(request, answer), described(request), `${answer.status} ${answer.text}`);
  };
  const worker = async () => {
    while (begun < REQUESTS && performance.now() < deadline) {
      if (begun++ % RESTORE_EVERY === 0) await restore();
      await one();
      done++;
    }
  };
  await restore();
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  await checkFinalState(call, sentinel, random);
  return done;
}

/** Checks that the service still works and has counted exactly. */
async function checkFinalState(
  call: (method: string, path: string) => Promise<HttpAnswer>,
  sentinel: Sentinel,
  random: Random,
): Promise<void> {
  noteAll(await sentinel.verify(random), 'the last verification', '');
  const ready = await call('GET', '/readyz');
  if (ready.status !== 200) note(`/readyz says ${ready.status}: ${ready.text}`);
  const isExact = async () => {
    const { told, expected } = await sentinel.counts();
    return JSON.stringify(sorted(told)) === JSON.stringify(sorted(expected));
  };
  // Counts are written once a second.
  for (let tries = 0; tries < 50; tries++) {
    if (await isExact()) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  note(`counts differ: ${JSON.stringify(await sentinel.counts())}`);
}

function sorted(counts: unknown): [string, unknown][] {
  return Object.entries({ ...(typeof counts === 'object' ? counts : {}) }).sort();
}

function inspectLog(log: string, rootKey: string, checks: Checks): void {
  if (log.includes(rootKey)) note('the log shows the root key');
  for (const tail of new Set(checks.leaksIn(log))) note(`the log shows …${tail.slice(0, 8)}…`);
  if (hasSigningSecret(log)) note('the log shows a signing secret');
  const errors = log.split('\n').filter((each) => /"level":"(error|fatal)"/.test(each));
  for (const line of errors.filter((each) => !each.includes(EXPECTED_ERROR))) note(line);
}

/** A body that is too large is refused before it is read, and the connection is closed. */
function noteUnanswered(request: FuzzedRequest, error: string): void {
  if ((request.body?.length ?? 0) > 65_536 && /ECONNRESET|EPIPE/.test(error)) return;
  noteAll([`no answer: ${error}`], described(request), '');
}

function tally({ operation }: FuzzedRequest, { status }: HttpAnswer): void {
  const key = `${Math.floor(status / 100)}xx`;
  statuses.set(key, (statuses.get(key) ?? 0) + 1);
  if (operation && status < 300) reached.add(operation.id);
}

function note(problem: string): void {
  noteAll([problem], '', '');
}

function noteAll(problems: readonly string[], request: string, answer: string): void {
  for (const problem of problems) findings.push({ problem, request, answer });
}

function described({ method, path, headers, body }: FuzzedRequest): string {
  const shown = JSON.stringify(headers).slice(0, 600);
  return `${method} ${path.slice(0, 300)} ${shown} ${body?.toString().slice(0, 600) ?? ''}`;
}

function report(sent: number, operations: readonly Operation[], seconds: number): void {
  const counts = [...statuses].sort().map(([status, count]) => `${status}: ${count}`);
  const missed = operations.map(({ id }) => id).filter((id) => !reached.has(id));
  process.stdout.write(
    `${sent} of ${REQUESTS} requests in ${seconds.toFixed(0)} s; ${counts.join(', ')}\n` +
      `operations that never succeeded: ${missed.join(', ') || 'none'}\n`,
  );
  for (const { problem, request, answer } of findings.slice(0, SHOWN)) {
    process.stdout.write(`\n✗ ${problem}\n  ${request}\n  ${answer.slice(0, 1000)}\n`);
  }
  process.stdout.write(`\n${findings.length} findings (seed ${SEED})\n`);
}
