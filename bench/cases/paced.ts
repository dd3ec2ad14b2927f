import type { Row } from '../harness/report.ts';
import {
  type Case,
  CONNECTIONS,
  type Measurement,
  measureInTurns,
  measureTarget,
  stopAll,
  type World,
  warmUp,
} from './case.ts';
import { noopTarget, targetOf } from './saturation.ts';

const PER_SECOND = 10_000;
const SHARES = [0.5, 0.8];

/**
 * The tail: arrivals by the clock, at a rate and at shares of what Keyward answers at most in this
 * process. The no-op route gets the same rates, so it is less busy than Keyward.
 */
export const pacedCase: Case = {
  name: 'paced',
  table: 'paced',
  run: async (world) => {
    const targets = [await noopTarget(world), await targetOf(world)];
    await warmUp(world, targets);
    const rows: Row[] = [];
    for (const { name, perSecond } of await ratesOf(world, targets)) {
      const measured = await measureInTurns(world, targets, { perSecond });
      rows.push(...compare(name, measured));
    }
    await stopAll(targets);
    return rows;
  },
};

async function ratesOf({ seconds }: World, [, keyward]: Awaited<ReturnType<typeof targetOf>>[]) {
  if (!keyward) throw new Error('Keyward is the second target');
  const load = { connections: CONNECTIONS, seconds };
  const capacity = (await measureTarget(keyward, load)).requestsPerSecond;
  const shares = SHARES.map((share) => ({
    name: `${share * 100} % of capacity`,
    perSecond: Math.round(capacity * share),
  }));
  return [
    { name: `${PER_SECOND.toLocaleString('en-US')} a second`, perSecond: PER_SECOND },
    ...shares,
  ];
}

function compare(rate: string, [noop, keyward]: readonly Measurement[]): Row[] {
  if (!noop || !keyward) throw new Error('both targets are measured');
  return [
    { name: `${rate}: no-op route`, figures: figuresOf(noop) },
    {
      name: `${rate}: key in use`,
      figures: {
        ...figuresOf(keyward),
        'p50 ratio': keyward.p50Ms / noop.p50Ms,
        'p99 ratio': keyward.p99Ms / noop.p99Ms,
        'p99.9 ratio': keyward.p999Ms / noop.p999Ms,
      },
    },
  ];
}

function figuresOf({ requestsPerSecond, p50Ms, p99Ms, p999Ms }: Measurement) {
  return { 'a second': requestsPerSecond, 'p50 ms': p50Ms, 'p99 ms': p99Ms, 'p99.9 ms': p999Ms };
}
