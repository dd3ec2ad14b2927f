import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readChecksumKey } from '../support/forged-key.ts';
import { checkHistory } from './check/check.ts';
import type { Entry, Violation } from './history.ts';
import { copyProgram, type Plant } from './plants.ts';
import type { Scene } from './rig/actions.ts';
import { Client } from './rig/client.ts';
import { readEvidence } from './rig/evidence.ts';
import { makeTrouble, Turns } from './rig/faults.ts';
import { Instance } from './rig/instance.ts';
import { Network } from './rig/network.ts';
import { Random } from './rig/random.ts';
import { Recorder } from './rig/recorder.ts';
import { Postgres } from './rig/server.ts';
import { runClients } from './rig/workload.ts';
import { WORKSPACES, World } from './rig/world.ts';

const INSTANCES = 3;

export interface Round {
  seed: number;
  durationMs: number;
  plant: [name: string, plant: Plant] | null;
  /** Where the history and the logs go. */
  results: string;
  /** Ends the load early, for example on Ctrl-C. */
  signal: AbortSignal;
  onProgress: (recorder: Recorder) => void;
}

type CleanUp = () => unknown;

export interface Outcome {
  history: readonly Entry[];
  violations: Violation[];
}

/** Starts everything, lets clients and faults loose, stops everything, and judges what was seen. */
export async function runRound(round: Round): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-history-'));
  await mkdir(round.results, { recursive: true });
  const recorder = new Recorder(join(round.results, 'history.jsonl'));
  const cleanUps: CleanUp[] = [
    () => rm(folder, { recursive: true, force: true }),
    () => recorder.close(),
  ];
  try {
    recorder.add({ type: 'run', seed: round.seed, plant: round.plant?.[0] ?? null });
    await record(round, folder, recorder, cleanUps);
    return { history: recorder.entries, violations: checkHistory(recorder.entries) };
  } finally {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  }
}

async function record(
  round: Round,
  folder: string,
  recorder: Recorder,
  cleanUps: CleanUp[],
): Promise<void> {
  const random = new Random(round.seed);
  const main = await copyProgram(round.plant?.[1] ?? null, folder);
  const postgres = await Postgres.start(folder);
  cleanUps.push(() => postgres.endForGood());
  const networks: Network[] = [];
  const instances: Instance[] = [];
  for (let number = 0; number < INSTANCES; number++) {
    const network = await Network.open(postgres.url, random.fork());
    cleanUps.push(() => network.close());
    network.onFlush = (sequence) =>
      recorder.add({ type: 'flush', instance: number, sequence, at: performance.now() });
    const log = join(round.results, `instance-${number}.log`);
    const instance = await Instance.make({ number, databaseUrl: network.url, main, log, recorder });
    cleanUps.push(() => instance.endForGood());
    networks.push(network);
    instances.push(instance);
  }
  for (const instance of instances) instance.start();
  await Promise.all(instances.map((instance) => instance.untilReady()));
  const world = new World(await readChecksumKey(postgres.url));
  const client = new Client(instances, recorder, world);
  const scene = { client, world, random: random.fork() };
  await makeWorkspaces(scene);
  const rig = { postgres, instances, networks, recorder, scene, random, turns: new Turns() };
  await letLoose(round, rig);
  await stopAll(instances);
  for (const entry of await readEvidence(postgres, main)) recorder.add(entry);
}

async function letLoose(round: Round, rig: Parameters<typeof makeTrouble>[0]): Promise<void> {
  const { durationMs, plant, signal, onProgress } = round;
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal, AbortSignal.timeout(durationMs)]);
  const progress = setInterval(() => onProgress(rig.recorder), 10_000);
  const work = [runClients(rig.scene, stop), makeTrouble(rig, stop, plant?.[1].faults)];
  for (const part of work) part.catch(() => failure.abort());
  // Also where one fails the other is over before anything is cleaned up.
  await Promise.allSettled(work);
  clearInterval(progress);
  await Promise.all(work);
}

async function makeWorkspaces({ client, random }: Scene): Promise<void> {
  for (const id of WORKSPACES.slice(1)) {
    const wish = { method: 'PUT', path: `/v1/workspaces/${id}`, body: {}, targets: [id] };
    await client.change(random, { ...wish, op: 'create-workspace', workspaceId: id });
  }
}

/** A clean stop loses nothing. What is in flight from faults is over before. */
async function stopAll(instances: readonly Instance[]): Promise<void> {
  await delay(500);
  for (const instance of instances) {
    await instance.untilReady();
    await instance.end('SIGTERM');
  }
}
