import { fileURLToPath } from 'node:url';
import { type Case, measureInTurns, stopAll, warmUp } from './case.ts';
import { noopTarget, targetOf } from './saturation.ts';

const UNBOUNDED = fileURLToPath(new URL('../harness/unbounded-fence.ts', import.meta.url));

/** One connection that calls one after the other, and what the bound on fences costs it. */
export const oneConnectionCase: Case = {
  name: 'one-connection',
  table: 'one-connection',
  run: async (world) => {
    const nodeOptions = [...world.nodeOptions, `--import=${UNBOUNDED}`];
    const free = { ...(await targetOf({ ...world, nodeOptions })), name: 'without the bound' };
    const targets = [await noopTarget(world), free, await targetOf(world)];
    await warmUp(world, targets);
    const measured = await measureInTurns(world, targets, { connections: 1 });
    await stopAll(targets);
    const unbounded = measured[1]?.requestsPerSecond ?? Number.NaN;
    return measured.map(({ requestsPerSecond, p50Ms, p99Ms, p999Ms }, place) => ({
      name: targets[place]?.name ?? '',
      figures: {
        'a second': requestsPerSecond,
        'p50 ms': p50Ms,
        'p99 ms': p99Ms,
        'p99.9 ms': p999Ms,
        ...(place > 1 && { 'to without the bound': requestsPerSecond / unbounded }),
      },
    }));
  },
};
