import { setTimeout as delay } from 'node:timers/promises';
import { pickAction, probe, type Scene } from './actions.ts';
import { someAsk } from './asks.ts';

const VERIFIERS = 8;
const MANAGERS = 3;
const VERIFIER_PAUSE_MS = 25;
const MANAGER_PAUSE_MS = 60;
/** While all is away, clients back off as they should. */
const BACK_OFF_MS = 100;

/** Many clients at once, until they are told to stop. */
export async function runClients(scene: Scene, stop: AbortSignal): Promise<void> {
  const own = () => ({ ...scene, random: scene.random.fork() });
  await Promise.all([
    ...Array.from({ length: VERIFIERS }, () => repeat(own(), verifySome, stop, VERIFIER_PAUSE_MS)),
    ...Array.from({ length: MANAGERS }, () => repeat(own(), manage, stop, MANAGER_PAUSE_MS)),
  ]);
}

type Step = (scene: Scene) => Promise<boolean>;

async function repeat(scene: Scene, step: Step, stop: AbortSignal, pauseMs: number): Promise<void> {
  while (!stop.aborted) {
    let isAnswered = true;
    await scene.world.step(async () => {
      isAnswered = await step(scene);
    });
    await delay(isAnswered ? scene.random.next() * 2 * pauseMs : BACK_OFF_MS);
  }
}

/** True where it was answered. */
async function verifySome({ client, world, random }: Scene): Promise<boolean> {
  const key = world.pickKey(random);
  const string = key && world.pickString(random, key);
  if (!string) return false;
  const isForged = random.chance(0.03);
  const instance = random.pick(client.instances);
  const caller = client.caller(random);
  const call = await client.verify(instance, string, someAsk(random), caller, isForged);
  return call.status === 200;
}

async function manage(scene: Scene): Promise<boolean> {
  const before = scene.world.keys.length;
  const touched = await pickAction(scene)(scene);
  await probe(scene, touched);
  return touched.length > 0 || scene.world.keys.length > before;
}
