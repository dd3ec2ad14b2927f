import { setTimeout as delay } from 'node:timers/promises';
import { isBack, type Outcome } from '../rules.ts';
import type { Given, Scenario, Site } from '../scenario.ts';
import { type AttackProcess, startAttack } from './attack-process.ts';
import type { AttackEnv } from './env.ts';
import { type Measured, newMeasured } from './samples.ts';
import type { Service, Vitals } from './service.ts';
import { VictimCaller } from './victim-caller.ts';
import { makeVictimKeys, type VictimKeys } from './victim-keys.ts';
import { PACE, Victims } from './victims.ts';

const SETTLED_WITHIN_MS = 10_000;
const SETTLED_PAUSE_MS = 100;

/** An outcome with what is shown beside it and judged by no rule. */
export interface Attacked extends Outcome {
  during: Vitals | null;
  /** Why the attack could not be made. */
  failure: string | null;
}

/** The victims alone. */
export async function measureBaseline(env: AttackEnv, seconds: number): Promise<Measured> {
  const victims = new Victims(env, await keysFor(env, seconds));
  await victims.warmUp();
  return victims.run(seconds);
}

/** The victims beside one attack that is under way, and what is left of it afterwards. */
export async function runScenario(
  env: AttackEnv,
  scenario: Scenario,
  seconds: number,
): Promise<Attacked> {
  const keys = await keysFor(env, seconds);
  const site = await makeSite(env, keys);
  const given = (await scenario.setUp?.(env, site)) ?? {};
  const victims = new Victims(env, keys);
  await victims.warmUp();
  const before = await env.service.vitals({ reset: true, collect: true });
  const attack = await startAttack({ ...site, ...placeOf(env), scenario: scenario.name, given });
  const [measured, attacker] = await Promise.all([
    victims.run(seconds),
    endAttack(attack, env.service, seconds),
  ]);
  return {
    measured,
    ...attacker,
    ...(await aftermath(env, scenario, { keys, site, given, before })),
  };
}

/** The outcome of a scenario that could not be prepared. */
export function notMade(error: unknown): Attacked {
  const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const nothing = { met: new Map(), ended: null, recoveredMs: null, during: null, broken: [] };
  const heapMiB = { before: null, after: null };
  return { ...nothing, measured: newMeasured(), heapMiB, failure };
}

/** After its time, also where victims still wait for answers. */
async function endAttack(attack: AttackProcess, service: Service, seconds: number) {
  await delay(seconds * 1000);
  const during = await service.vitals();
  const { tally, failure } = await attack.stop();
  return { during, met: new Map(tally), failure };
}

async function aftermath(
  env: AttackEnv,
  scenario: Scenario,
  run: { keys: VictimKeys; site: Site; given: Given; before: Vitals | null },
) {
  const recoveredMs = await recovery(env, run.keys);
  const { ended } = env.service;
  const broken = ended === null ? await check(env, scenario, run.site, run.given) : [];
  const after = await settled(env, run.before);
  const heapMiB = { before: run.before?.now.heapMiB ?? null, after: after?.now.heapMiB ?? null };
  return { recoveredMs, ended, broken, heapMiB };
}

function keysFor(env: AttackEnv, seconds: number): Promise<VictimKeys> {
  return makeVictimKeys(env, Math.ceil(PACE.revocation.perSecond * seconds) + 4);
}

async function makeSite(env: AttackEnv, { workspaceId, managementKey, spare }: VictimKeys) {
  const own = await env.makeWorkspace('mallory');
  return { ...own, victim: { workspaceId, managementKey, spare } };
}

function placeOf({ service, databaseUrl, runtimeRole }: AttackEnv) {
  return { url: service.url, databaseUrl, runtimeRole };
}

/** From now to the first verification that is answered; null if none is within the time. */
async function recovery(env: AttackEnv, { managementKey, spare }: VictimKeys) {
  const started = performance.now();
  const caller = new VictimCaller(env.service.url, managementKey);
  try {
    while (env.service.ended === null && performance.now() - started < SETTLED_WITHIN_MS) {
      const { status } = await caller.post('/v1/verify', { key: spare.key });
      if (status === 200) return performance.now() - started;
      await delay(SETTLED_PAUSE_MS);
    }
    return null;
  } finally {
    caller.close();
  }
}

async function check(
  env: AttackEnv,
  scenario: Scenario,
  site: Site,
  given: Given,
): Promise<string[]> {
  const found = await scenario
    .check?.(env, site, given)
    .catch((error: unknown) => [
      `the check could not be made: ${error instanceof Error ? error.message : error}`,
    ]);
  return found ?? [];
}

/** What the process holds once it has had time to let go of the attack. */
async function settled(env: AttackEnv, before: Vitals | null): Promise<Vitals | null> {
  const started = performance.now();
  for (;;) {
    const now = await env.service.vitals({ collect: true });
    if (now === null || isBack(before?.now.heapMiB ?? null, now.now.heapMiB)) return now;
    if (performance.now() - started > SETTLED_WITHIN_MS) return now;
    await delay(SETTLED_PAUSE_MS * 5);
  }
}
