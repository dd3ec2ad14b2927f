import { setTimeout as delay } from 'node:timers/promises';
import { type ClientContext, pickAction, probe } from './actions.ts';
import { randomAccess } from './random-values.ts';

const VERIFIERS = 8;
const MANAGERS = 3;
const VERIFIER_PAUSE_MS = 25;
const MANAGER_PAUSE_MS = 60;
/** How long clients back off after an unanswered call. */
const BACK_OFF_MS = 100;

/** Runs many concurrent clients until the signal. */
export async function runClients(context: ClientContext, stop: AbortSignal): Promise<void> {
  const own = () => ({ ...context, random: context.random.fork() });
  await Promise.all([
    ...Array.from({ length: VERIFIERS }, () => repeat(own(), verifySome, stop, VERIFIER_PAUSE_MS)),
    ...Array.from({ length: MANAGERS }, () => repeat(own(), manage, stop, MANAGER_PAUSE_MS)),
  ]);
}

type Step = (context: ClientContext) => Promise<boolean>;

async function repeat(
  context: ClientContext,
  step: Step,
  stop: AbortSignal,
  pauseMs: number,
): Promise<void> {
  while (!stop.aborted) {
    let isAnswered = true;
    await context.world.step(async () => {
      isAnswered = await step(context);
    });
    await delay(isAnswered ? context.random.next() * 2 * pauseMs : BACK_OFF_MS);
  }
}

/** Returns whether the verification was answered. */
async function verifySome({ client, world, random }: ClientContext): Promise<boolean> {
  const key = world.pickKey(random);
  const string = key && world.pickString(random, key);
  if (!string) return false;
  const isForged = random.chance(0.03);
  const instance = random.pick(client.instances);
  const caller = client.caller(random);
  const call = await client.verify(instance, string, randomAccess(random), caller, isForged);
  return call.status === 200;
}

async function manage(context: ClientContext): Promise<boolean> {
  const before = context.world.keys.length;
  const touched = await pickAction(context)(context);
  await probe(context, touched);
  return touched.length > 0 || context.world.keys.length > before;
}
