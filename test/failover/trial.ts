import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkHistory } from '../history/check/check.ts';
import { Client } from '../history/harness/client.ts';
import { readEvidence } from '../history/harness/evidence.ts';
import { Instance } from '../history/harness/instance.ts';
import { Network } from '../history/harness/network.ts';
import { Random } from '../history/harness/random.ts';
import { Receiver } from '../history/harness/receiver.ts';
import { Recorder } from '../history/harness/recorder.ts';
import { runClients } from '../history/harness/workload.ts';
import { World } from '../history/harness/world.ts';
import type { Entry, Violation } from '../history/history.ts';
import { makeWorkspaces, stopAll } from '../history/round.ts';
import { copyProgram } from '../history/seeded-bugs.ts';
import { readChecksumKey } from '../support/forged-key.ts';
import { makeEvents, type Trial } from './events.ts';
import { ERRORS, unexplainedErrors } from './gaps.ts';
import { LoadBalancer } from './load-balancer.ts';
import { PostgresPair } from './postgres-pair.ts';

const INSTANCES = 3;

export interface TrialOptions {
  seed: number;
  durationMs: number;
  nginx: string;
  /** Else the standby is behind when it is promoted. */
  isSynchronous: boolean;
  /** The folder for the history and the logs. */
  results: string;
  signal: AbortSignal;
}

export interface Outcome {
  history: readonly Entry[];
  violations: Violation[];
}

type CleanUp = () => unknown;

/** Three instances behind nginx on a primary with a standby; the same clients and checker as ever. */
export async function runTrial(options: TrialOptions): Promise<Outcome> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'keyward-failover-'));
  await mkdir(options.results, { recursive: true });
  const recorder = new Recorder(join(options.results, 'history.jsonl'));
  const cleanUps: CleanUp[] = [
    () => rm(folder, { recursive: true, force: true }),
    () => recorder.close(),
  ];
  try {
    recorder.add({ type: 'run', seed: options.seed, bug: null });
    await record(options, folder, recorder, cleanUps);
    const history = recorder.entries;
    return {
      history,
      violations: [...unexplainedErrors(history), ...checkHistory(history, ERRORS)],
    };
  } finally {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  }
}

async function record(
  options: TrialOptions,
  folder: string,
  recorder: Recorder,
  cleanUps: CleanUp[],
): Promise<void> {
  const random = new Random(options.seed);
  const main = await copyProgram(null, folder);
  const pair = await PostgresPair.start(folder, options.isSynchronous);
  cleanUps.push(() => pair.shutDown());
  const trial = await startInstances({ pair, recorder, random }, main, options.results, cleanUps);
  const { instances } = trial;
  const loadBalancer = await LoadBalancer.start(options.nginx, join(folder, 'nginx'), instances);
  cleanUps.push(() => loadBalancer.end());
  const world = new World(await readChecksumKey(pair.primary.url));
  const doors = instances.map(() => loadBalancer.door());
  const client = new Client(doors, recorder, world);
  const context = { client, world, random: random.fork() };
  const receiver = await Receiver.open(recorder, random.fork());
  cleanUps.push(() => receiver.close());
  await receiver.subscribe(instances[0]);
  await makeWorkspaces(context);
  await runLoad(trial, context, options);
  await stopAll(instances);
  for (const entry of await readEvidence(pair.standby, main)) recorder.add(entry);
}

async function startInstances(
  { pair, recorder, random }: Pick<Trial, 'pair' | 'recorder'> & { random: Random },
  main: string,
  results: string,
  cleanUps: CleanUp[],
): Promise<Trial> {
  const instances: Instance[] = [];
  const networks: Network[] = [];
  for (let number = 0; number < INSTANCES; number++) {
    const network = await Network.open(pair.primary.url, random.fork());
    cleanUps.push(() => network.close());
    network.onFlush = (sequence) =>
      recorder.add({ type: 'flush', instance: number, sequence, at: performance.now() });
    const log = join(results, `instance-${number}.log`);
    const instance = await Instance.make({ number, databaseUrl: network.url, main, log, recorder });
    cleanUps.push(() => instance.shutDown());
    networks.push(network);
    instances.push(instance);
  }
  for (const instance of instances) instance.start();
  await Promise.all(instances.map((instance) => instance.waitUntilReady()));
  return { pair, instances, networks, recorder };
}

/** The load ends with the last event, or if one of both fails. */
async function runLoad(
  trial: Trial,
  context: Parameters<typeof runClients>[0],
  { durationMs, signal }: TrialOptions,
): Promise<void> {
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const events = makeEvents(trial, durationMs, stop).finally(() => done.abort());
  const clients = runClients(context, stop).finally(() => done.abort());
  await Promise.allSettled([events, clients]);
  await Promise.all([events, clients]);
}
