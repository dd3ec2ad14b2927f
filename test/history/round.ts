import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readChecksumKey } from '../support/forged-key.ts';
import { checkHistory } from './check/check.ts';
import type { ClientContext } from './harness/actions.ts';
import { runAttackers } from './harness/attackers.ts';
import { Client } from './harness/client.ts';
import { readEvidence } from './harness/evidence.ts';
import { injectFaults, Mutex } from './harness/faults.ts';
import { Instance } from './harness/instance.ts';
import { Network } from './harness/network.ts';
import { Random } from './harness/random.ts';
import { Receiver } from './harness/receiver.ts';
import { Recorder } from './harness/recorder.ts';
import { Postgres } from './harness/server.ts';
import { runClients } from './harness/workload.ts';
import { WORKSPACES, World } from './harness/world.ts';
import type { Entry, Violation } from './history.ts';
import { copyProgram, type SeededBug } from './seeded-bugs.ts';

const INSTANCES = 3;

/** So that what the load does is alerted of. */
const ALERTED_EARLY = {
  ...{ expiringDays: [30], rotationDueDays: 1, limitedHours: 1, creditsLow: 1_000_000_000 },
  ...{ wrongKeysPerHour: 1, unusualFactor: 1.5, unusualMinimum: 1 },
};

export interface Round {
  seed: number;
  durationMs: number;
  bug: [name: string, bug: SeededBug] | null;
  /** Whether neighbours attack the service meanwhile. */
  hasAttackers: boolean;
  /** The folder for the history and the logs. */
  results: string;
  /** Ends the load early, for example on Ctrl-C. */
  signal: AbortSignal;
  onProgress: (recorder: Recorder) => void;
}

type Cleanup = () => unknown;

export interface Outcome {
  history: readonly Entry[];
  violations: Violation[];
}

/** Starts everything, runs clients, attackers and faults, stops everything, and checks the history. */
export async function runRound(round: Round): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-history-'));
  await mkdir(round.results, { recursive: true });
  const recorder = new Recorder(join(round.results, 'history.jsonl'));
  const cleanUps: Cleanup[] = [
    () => rm(folder, { recursive: true, force: true }),
    () => recorder.close(),
  ];
  try {
    recorder.add({ type: 'run', seed: round.seed, bug: round.bug?.[0] ?? null });
    await recordRound(round, folder, recorder, cleanUps);
    return { history: recorder.entries, violations: checkHistory(recorder.entries) };
  } finally {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  }
}

async function recordRound(
  round: Round,
  folder: string,
  recorder: Recorder,
  cleanUps: Cleanup[],
): Promise<void> {
  const random = new Random(round.seed);
  const main = await copyProgram(round.bug?.[1] ?? null, folder);
  const postgres = await Postgres.start(folder);
  cleanUps.push(() => postgres.shutDown());
  const networks: Network[] = [];
  const instances: Instance[] = [];
  for (let number = 0; number < INSTANCES; number++) {
    const network = await Network.open(postgres.url, random.fork());
    cleanUps.push(() => network.close());
    network.onFlush = (sequence) =>
      recorder.add({ type: 'flush', instance: number, sequence, at: performance.now() });
    const log = join(round.results, `instance-${number}.log`);
    const instance = await Instance.make({ number, databaseUrl: network.url, main, log, recorder });
    cleanUps.push(() => instance.shutDown());
    networks.push(network);
    instances.push(instance);
  }
  for (const instance of instances) instance.start();
  await Promise.all(instances.map((instance) => instance.waitUntilReady()));
  const world = new World(await readChecksumKey(postgres.url));
  const client = new Client(instances, recorder, world);
  const context = { client, world, random: random.fork() };
  const receiver = await Receiver.open(recorder, random.fork());
  cleanUps.push(() => receiver.close());
  await receiver.subscribe(instances[0]);
  await makeWorkspaces(context);
  const harness = {
    postgres,
    instances,
    networks,
    recorder,
    context,
    random,
    instanceLock: new Mutex(),
  };
  await runLoad(round, harness);
  await stopAll(instances);
  for (const entry of await readEvidence(postgres, main)) recorder.add(entry);
}

async function runLoad(round: Round, harness: Parameters<typeof injectFaults>[0]): Promise<void> {
  const { durationMs, bug, hasAttackers, signal, onProgress } = round;
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal, AbortSignal.timeout(durationMs)]);
  const progress = setInterval(() => onProgress(harness.recorder), 10_000);
  const work = [
    runClients(harness.context, stop),
    injectFaults(harness, stop, bug?.[1].faults),
    ...(hasAttackers ? [runAttackers(harness, stop)] : []),
  ];
  for (const part of work) part.catch(() => failure.abort());
  // If one of them fails, the others end before anything is cleaned up.
  await Promise.allSettled(work);
  clearInterval(progress);
  await Promise.all(work);
}

export async function makeWorkspaces({ client, random }: ClientContext): Promise<void> {
  for (const id of WORKSPACES.slice(1)) {
    const body = { alertThresholds: ALERTED_EARLY };
    const request = { method: 'PUT', path: `/v1/workspaces/${id}`, body, targets: [id] };
    await client.change(random, { ...request, op: 'create-workspace', workspaceId: id });
  }
}

/** Stops cleanly, which loses nothing, after effects of faults have passed. */
export async function stopAll(instances: readonly Instance[]): Promise<void> {
  await delay(500);
  for (const instance of instances) {
    await instance.waitUntilReady();
    await instance.end('SIGTERM');
  }
}
