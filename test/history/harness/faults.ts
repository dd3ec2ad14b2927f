import { setTimeout as delay } from 'node:timers/promises';
import type { ClientContext } from './actions.ts';
import type { Instance } from './instance.ts';
import { CLAIM, type CutAt, type Network } from './network.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';
import { reuseIds } from './reused-ids.ts';
import type { Postgres } from './server.ts';

/** Everything that faults are injected into. */
export interface Harness {
  postgres: Postgres;
  instances: readonly Instance[];
  networks: readonly Network[];
  recorder: Recorder;
  context: ClientContext;
  random: Random;
  /** Held by faults that must not affect two instances at a time. */
  instanceLock: Mutex;
}

/** Runs tasks one after the other. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  runExclusive(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

export type Fault = (harness: Harness, instance: Instance, network: Network) => Promise<void>;

const kill: Fault = async ({ random }, instance) => {
  await instance.end('SIGKILL');
  await delay(random.between(0, 600));
  instance.start();
  await instance.waitUntilReady();
};

const restart: Fault = async (_rig, instance) => {
  await instance.end('SIGTERM');
  instance.start();
  await instance.waitUntilReady();
};

const freeze: Fault = async ({ random }, instance) => {
  instance.signal('SIGSTOP');
  await delay(random.between(200, 3500));
  instance.signal('SIGCONT');
};

const terminate: Fault = ({ postgres, random }) =>
  postgres.terminateBackends(random.between(1, 12)).then(() => undefined);

const killBackend: Fault = ({ postgres }) => postgres.killBackend();

const stopPostgres: Fault = async ({ postgres, random }) => {
  await postgres.stop();
  await delay(random.between(0, 1500));
  await postgres.start();
};

const crashPostgres: Fault = async ({ postgres, random }) => {
  await postgres.kill();
  await delay(random.between(0, 1000));
  await postgres.start();
};

const slow: Fault = async ({ random }, _instance, network) => {
  network.delay(random.pick([5, 20, 60, 150]));
  await delay(random.between(1000, 4000));
  network.restore();
};

const slowLoads: Fault = async ({ random }, _instance, network) => {
  network.delayLoads(random.pick([50, 200, 400]));
  await delay(random.between(1000, 4000));
  network.restore();
};

/** Answers are in flight when the connection breaks, so that their outcome is unknown. */
const slowThenCut: Fault = async ({ random }, _instance, network) => {
  network.delay(random.pick([20, 60, 150]));
  await delay(random.between(300, 1500));
  network.cut();
  await delay(random.between(0, 800));
  network.restore();
};

const cut: Fault = async ({ random }, _instance, network) => {
  network.cut();
  await delay(random.between(0, 2000));
  network.restore();
};

const halfOpen: Fault = async ({ random }, _instance, network) => {
  network.silence();
  await delay(random.between(500, 4000));
  network.restore();
};

/** Only the answer to this statement is lost. */
function cutAt(statement: CutAt): Fault {
  return async (_rig, _instance, network) => {
    network.cutAt(statement);
    await delay(1200);
    network.restore();
  };
}

/** Faults of processes, and faults of the database and its connections: both run concurrently. */
const INSTANCE_FAULTS = { kill, restart, freeze };
const DATABASE_FAULTS = {
  terminate,
  killBackend,
  stopPostgres,
  crashPostgres,
  slow,
  slowLoads,
  slowThenCut,
  cut,
  halfOpen,
  cutAtFlush: cutAt(CLAIM),
  cutAtConsume: cutAt('consume_limits'),
  reuseIds,
};
export type FaultName = keyof typeof INSTANCE_FAULTS | keyof typeof DATABASE_FAULTS;

const PAUSE_MS = [500, 2500] as const;

/** Injects faults until the signal; then everything is restored and running. */
export async function injectFaults(
  harness: Harness,
  stop: AbortSignal,
  only?: readonly FaultName[],
) {
  await settleAll(
    [INSTANCE_FAULTS, DATABASE_FAULTS].map((faults) => {
      const chosen = Object.entries(faults).filter(([name]) => !only || isIn(only, name));
      return chosen.length === 0
        ? undefined
        : injectRepeatedly({ ...harness, random: harness.random.fork() }, chosen, stop);
    }),
  );
}

/** Waits until all have ended before it throws the first failure. */
async function settleAll(work: readonly (Promise<void> | undefined)[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}

function isIn(names: readonly string[], name: string): boolean {
  return names.includes(name);
}

async function injectRepeatedly(
  harness: Harness,
  faults: [string, Fault][],
  stop: AbortSignal,
): Promise<void> {
  const { instances, networks, recorder, random, instanceLock } = harness;
  while (!stop.aborted) {
    await delay(random.between(...PAUSE_MS));
    const [kind, fault] = random.pick(faults);
    const place = random.between(0, instances.length - 1);
    const [instance, network] = [instances[place], networks[place]];
    if (stop.aborted || !instance || !network) return;
    const isOfInstance = kind in INSTANCE_FAULTS || kind === 'reuseIds';
    const start = performance.now();
    const happen = () => fault(harness, instance, network);
    await (isOfInstance ? instanceLock.runExclusive(happen) : happen()).catch((cause: unknown) => {
      throw new Error(`the fault ${kind} could not be made`, { cause });
    });
    const end = performance.now();
    const isOfDatabase = kind in DATABASE_FAULTS;
    recorder.add({ type: 'fault', kind, isOfDatabase, instance: instance.number, start, end });
  }
}
