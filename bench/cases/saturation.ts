import { bodyOf, forgedFrom } from '../harness/calls.ts';
import { startNoop } from '../harness/program.ts';
import type { Row } from '../harness/report.ts';
import {
  type Case,
  type Measurement,
  measureInTurns,
  NOOP,
  stopAll,
  type Target,
  VERIFY,
  type World,
  warmUp,
} from './case.ts';

/** A kind of verification: the settings of its Keyward, and the strings to present. */
interface Kind {
  name: string;
  settings?: Record<string, string>;
  keys?: (world: World) => readonly string[];
}

const hot: Kind = { name: 'key in use' };
const countedFirst: Kind = {
  name: 'counted before it is answered',
  settings: { KEYWARD_USAGE_FLUSH_MS: '0' },
};
const logged: Kind = {
  name: 'each logged',
  settings: { KEYWARD_LOG_VERIFY_PER_SECOND: '1000000' },
};
const limited: Kind = {
  name: 'rate limit and credits',
  keys: ({ limitedKeys }) => limitedKeys,
};
const forged: Kind = { name: 'forged string', keys: ({ keys }) => keys.map(forgedFrom) };

/** Every connection sends as soon as it has its answer; each is compared with the no-op route. */
export const saturationCases: readonly Case[] = [
  saturated('hot', [hot]),
  saturated('forged', [forged]),
  saturated('counted-first', [hot, countedFirst]),
  saturated('logged', [logged]),
  saturated('limited', [limited]),
];

function saturated(name: string, kinds: readonly Kind[]): Case {
  return {
    name,
    table: 'saturation',
    run: async (world) => {
      const targets = [await noopTarget(world)];
      for (const kind of kinds) targets.push(await targetOf(world, kind));
      await warmUp(world, targets);
      const measured = await measureInTurns(world, targets);
      await stopAll(targets);
      return compare(targets, measured);
    },
  };
}

export async function noopTarget({ answer, keys }: World): Promise<Target> {
  const load = { path: VERIFY, authorization: 'none', bodies: keys.map(bodyOf) };
  return { name: NOOP, server: await startNoop(answer), ...load };
}

export async function targetOf(world: World, kind: Kind = hot): Promise<Target> {
  const { env, authorization, nodeOptions } = world;
  const bodies = (kind.keys?.(world) ?? world.keys).map(bodyOf);
  const server = await env.keyward(kind.settings, nodeOptions);
  return { name: kind.name, server, path: VERIFY, authorization, bodies };
}

function compare(targets: readonly Target[], measured: readonly Measurement[]): Row[] {
  const [noop, hotKey] = measured;
  if (!noop || !hotKey) throw new Error('the baseline is the first target');
  return measured.map((one, place) => ({
    name: targets[place]?.name ?? '',
    figures: {
      'a second': one.requestsPerSecond,
      'p50 ms': one.p50Ms,
      'p99 ms': one.p99Ms,
      'p99.9 ms': one.p999Ms,
      'µs of processor': one.cpuMicroseconds,
      ...(one !== noop && ratiosOf(one, noop)),
      ...(place > 1 && { 'to key in use': one.requestsPerSecond / hotKey.requestsPerSecond }),
    },
  }));
}

function ratiosOf(one: Measurement, noop: Measurement) {
  return {
    'throughput ratio': one.requestsPerSecond / noop.requestsPerSecond,
    'processor ratio': noop.cpuMicroseconds / one.cpuMicroseconds,
    'p99 ratio': one.p99Ms / noop.p99Ms,
  };
}
