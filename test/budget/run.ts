import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { explained } from '../../scripts/explained-options.ts';
import { type OpenApi, operationsOf } from '../fuzz/document.ts';
import { Sender } from '../fuzz/http.ts';
import { type GithubSigner, startGithubSigner } from '../support/github-signer.ts';
import { anotherTime, type Probe, probesOf } from './probes.ts';
import { ROOT_KEY, startTarget, type Target } from './target.ts';
import { makeWorld } from './world.ts';

/**
 * Sends the worst inputs of every call of the OpenAPI document to the started program, and fails if
 * one holds its event loop for longer than the budget. `--factor 2` doubles the budget; on a machine
 * that is slower than the reference it is longer by itself.
 */
const { values: options } = parseArgs({
  options: explained({
    factor: { type: 'string', default: '1' },
    /** Only calls whose id contains this. */
    only: { type: 'string', default: '' },
  }),
});
const BUDGET_MS = 20;
/** What the calibration costs on the machine that the budget is meant for. */
const REFERENCE_MS = 7;
/** The least of several counts, as one may be disturbed by a collection or cold code. */
const ATTEMPTS = 3;
const SETTLE_MS = 30;
/** As after a reset: no instance may answer from memory. */
const FORGET = `insert into change_feed (kind, id) values ('everything', '')`;
/** After these the world is another one. */
const LAST = [
  ...['reportLeaks', 'reportLeaksByGithub', 'erasePersonalData', 'deleteWebhook'],
  ...['revokeManagementKey', 'revokeKey', 'deleteKey', 'deleteWorkspace'],
];

interface Row extends Probe {
  status: number;
  heldMs: number;
  mostMs: number;
  heapMiB: number;
  isOver: boolean;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const github = await startGithubSigner();
  const target = await startTarget(github.url);
  const sender = new Sender(target.url, 1);
  try {
    return report(await measureAll(target, sender, github, await allowedMs(target)));
  } catch (error) {
    process.stderr.write(`${String(error)}\n${target.output().slice(-3000)}\n`);
    return 1;
  } finally {
    sender.close();
    github.close();
    await target.stop();
  }
}

async function measureAll(
  target: Target,
  sender: Sender,
  github: GithubSigner,
  allowed: number,
): Promise<Row[]> {
  const send = (method: string, path: string, body: string | null = null, headers = {}) =>
    sender.send({
      ...{ method, path, body: body === null ? null : Buffer.from(body) },
      headers: { authorization: `Bearer ${ROOT_KEY}`, ...headers },
    });
  const json = { 'content-type': 'application/json' };
  const file = new URL('../../openapi/openapi.json', import.meta.url);
  const document: OpenApi = JSON.parse(await readFile(file, 'utf8'));
  const operations = operationsOf(document)
    .filter(({ id }) => id.includes(options.only) || id === 'createKey')
    .sort((a, b) => LAST.indexOf(a.id) - LAST.indexOf(b.id));
  const call = (method: string, path: string, body?: string) => send(method, path, body, json);
  const world = await makeWorld(call, target.client, operations);
  const rows: Row[] = [];
  for (const probe of operations.flatMap((operation) => probesOf(operation, world))) {
    const { method, path, body, headers } = probe;
    const row = await measure(target, probe, () => {
      const again = anotherTime(body);
      const signed =
        probe.call === 'reportLeaksByGithub' ? github.headersOf(Buffer.from(again.body ?? '')) : {};
      return send(method, path, again.body, { ...headers, ...again.headers, ...signed });
    });
    rows.push({ ...row, isOver: row.heldMs > allowed });
    process.stdout.write(`${lineOf(row, row.heldMs > allowed)}\n`);
  }
  return rows;
}

async function measure(
  { ask, client }: Target,
  probe: Probe,
  send: () => Promise<{ status: number }>,
): Promise<Omit<Row, 'isOver'>> {
  const held: number[] = [];
  let status = 0;
  let heapMiB = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (probe.isCold) await client.query(FORGET);
    await ask('watch');
    // A connection that is closed while a body is sent that is too large.
    ({ status } = await send().catch(() => ({ status: 0 })));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const watched = await ask('watch');
    held.push(watched.heldMs ?? Infinity);
    heapMiB = Math.max(heapMiB, watched.heapMiB ?? 0);
  }
  return { ...probe, status, heldMs: Math.min(...held), mostMs: Math.max(...held), heapMiB };
}

async function allowedMs({ ask }: Target): Promise<number> {
  const { calibrationMs = REFERENCE_MS } = await ask('calibrate');
  const slowness = Math.max(1, calibrationMs / REFERENCE_MS);
  const allowed = BUDGET_MS * slowness * Number(options.factor);
  process.stdout.write(
    `calibration ${calibrationMs.toFixed(1)} ms, budget ${allowed.toFixed(1)} ms\n`,
  );
  return allowed;
}

function report(rows: readonly Row[]): number {
  const over = rows.filter(({ isOver }) => isOver);
  const calls = new Set(rows.map(({ call }) => call)).size;
  process.stdout.write(`${rows.length} inputs of ${calls} calls, ${over.length} over the budget\n`);
  for (const row of over) process.stdout.write(`${lineOf(row, true)}\n`);
  return over.length === 0 ? 0 : 1;
}

function lineOf(
  { call, input, status, heldMs, mostMs, heapMiB }: Omit<Row, 'isOver'>,
  isOver: boolean,
): string {
  const mark = isOver ? '✗' : ' ';
  const times = `${heldMs.toFixed(1).padStart(7)} ${mostMs.toFixed(1).padStart(7)}`;
  return `${mark} ${times} ms ${heapMiB.toFixed(0).padStart(4)} MiB ${status} ${call}: ${input}`;
}
