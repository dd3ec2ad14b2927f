import type { BenchEnv } from '../harness/env.ts';
import { type LoadOptions, type Measured, measure } from '../harness/measure.ts';
import type { Server } from '../harness/program.ts';
import type { Row } from '../harness/report.ts';
import { median } from '../harness/statistics.ts';

export const VERIFY = '/v1/verify';
export const CONNECTIONS = 64;
/** In which the time of a measurement is divided. */
const TURNS = 4;
/** The baseline's row. */
export const NOOP = 'no-op route';

/** What every case finds. */
export interface World {
  env: BenchEnv;
  /** Of one measurement. */
  seconds: number;
  /** The number of the processes, from 1 on: it decides which of the targets is first. */
  process: number;
  /** Options of Node for Keyward. */
  nodeOptions: string[];
  /** A management key's, which may only verify. */
  authorization: string;
  /** Keys in use. */
  keys: readonly string[];
  /** Keys in use with a rate limit and credits that are never reached. */
  limitedKeys: readonly string[];
  /** What Keyward answers for a key in use, for the baseline to answer as well. */
  answer: string;
}

/** Starts processes of its own, and stops them. */
export interface Case {
  name: string;
  /** Cases share a table whose rows are compared. */
  table: string;
  /** Short measurements of it tell nothing. */
  needsTime?: boolean;
  run: (world: World) => Promise<Row[]>;
}

/** A server and what is sent to it. */
export interface Target {
  name: string;
  server: Server;
  path: string;
  authorization: string;
  bodies: readonly string[];
}

export interface Measurement extends Measured {
  /** Processor time of the server alone. */
  cpuMicroseconds: number;
}

/** Until each key was asked for and the code is compiled, for as long as a measurement at least. */
export async function warmUp(world: World, targets: readonly Target[]): Promise<void> {
  const { seconds } = world;
  for (const { server, name: _, ...target } of targets) {
    const load = { ...target, url: server.url, connections: CONNECTIONS, seconds };
    for (let left = target.bodies.length; left > 0; ) left -= (await measure(load)).requests;
  }
}

/**
 * Each target in several turns, one after the other, from one end and then from the other, so that all of
 * them meet what else the machine does. Each figure is the median of its turns.
 */
export async function measureInTurns(
  { process, seconds }: World,
  targets: readonly Target[],
  load: Pick<LoadOptions, 'perSecond'> & { connections?: number } = {},
): Promise<Measurement[]> {
  const measured = new Map<Target, Measurement[]>(targets.map((target) => [target, []]));
  for (let turn = process; turn < process + TURNS; turn++) {
    for (const target of turn % 2 === 1 ? targets : targets.toReversed()) {
      const own = { connections: CONNECTIONS, seconds: seconds / TURNS, ...load };
      measured.get(target)?.push(await measureTarget(target, own));
    }
  }
  return [...measured.values()].map(medianOf);
}

function medianOf(turns: readonly Measurement[]): Measurement {
  const figure = (name: keyof Measurement) => median(turns.map((turn) => turn[name]));
  return {
    requests: figure('requests'),
    requestsPerSecond: figure('requestsPerSecond'),
    p50Ms: figure('p50Ms'),
    p99Ms: figure('p99Ms'),
    p999Ms: figure('p999Ms'),
    valid: figure('valid'),
    refused: figure('refused'),
    cpuMicroseconds: figure('cpuMicroseconds'),
  };
}

export async function measureTarget(
  { name, server, ...target }: Target,
  load: Pick<LoadOptions, 'perSecond' | 'connections' | 'seconds'>,
): Promise<Measurement> {
  const before = server.cpuSeconds();
  const measured = await measure({ ...target, ...load, url: server.url });
  if (measured.refused > 0) throw new Error(`${name}: ${measured.refused} were refused`);
  const cpuSeconds = server.cpuSeconds() - before;
  return { ...measured, cpuMicroseconds: (cpuSeconds * 1e6) / measured.requests };
}

export async function stopAll(targets: readonly Target[]): Promise<void> {
  await Promise.all(targets.map(({ server }) => server.stop()));
}
