import { setTimeout as delay } from 'node:timers/promises';
import { isBack, type Outcome } from '../rules.ts';
import type { Scenario, Site } from '../scenario.ts';
import { startAttack } from './attack-process.ts';
import type { Measured } from './samples.ts';
import type { Vitals } from './service.ts';
import type { Stage } from './stage.ts';
import { VictimCaller } from './victim-caller.ts';
import { makeVictimKeys, type VictimKeys } from './victim-keys.ts';
import { PACE, Victims } from './victims.ts';

const SETTLED_WITHIN_MS = 10_000;
const SETTLED_PAUSE_MS = 100;

export interface Options {
  seconds: number;
  isSmoke: boolean;
}

/** An outcome with what is shown beside it and judged by no rule. */
export interface Attacked extends Outcome {
  during: Vitals | null;
  /** Why the attack could not be made. */
  failure: string | null;
}

/** The victims alone. */
export async function measureBaseline(stage: Stage, { seconds }: Options): Promise<Measured> {
  const victims = new Victims(stage, await keysFor(stage, seconds));
  await victims.warmUp();
  return victims.run(seconds);
}

/** The victims beside one attack, from its first moment on. */
export async function runScenario(
  stage: Stage,
  scenario: Scenario,
  options: Options,
): Promise<Attacked> {
  const { seconds, isSmoke } = options;
  const keys = await keysFor(stage, seconds);
  const site = await makeSite(stage, keys);
  const given = (await scenario.setUp?.(stage, site)) ?? {};
  const victims = new Victims(stage, keys);
  await victims.warmUp();
  const { service } = stage;
  const before = await service.vitals({ reset: true, collect: true });
  const attack = await startAttack({
    ...site,
    scenario: scenario.name,
    url: service.url,
    databaseUrl: stage.databaseUrl,
    runtimeRole: stage.runtimeRole,
    given,
    isSmoke,
  });
  const measured = await victims.run(seconds);
  const during = await service.vitals();
  const { tally, failure } = await attack.stop();
  const recoveredMs = await recovery(stage, keys);
  const ended = service.ended;
  const broken = ended === null ? await check(stage, scenario, site, given) : [];
  const after = await settled(stage, before);
  const heapMiB = { before: before?.now.heapMiB ?? null, after: after?.now.heapMiB ?? null };
  const met = new Map(tally);
  return { measured, met, ended, recoveredMs, heapMiB, broken, during, failure };
}

function keysFor(stage: Stage, seconds: number): Promise<VictimKeys> {
  return makeVictimKeys(stage, Math.ceil(PACE.revocation.perSecond * seconds) + 4);
}

async function makeSite(stage: Stage, { workspaceId, managementKey, spare }: VictimKeys) {
  const own = await stage.makeWorkspace('mallory');
  return { ...own, victim: { workspaceId, managementKey, spare } };
}

/** From now to the first verification that is answered; null if none is within the time. */
async function recovery(stage: Stage, { managementKey, spare }: VictimKeys) {
  const started = performance.now();
  const caller = new VictimCaller(stage.service.url, managementKey);
  try {
    while (stage.service.ended === null && performance.now() - started < SETTLED_WITHIN_MS) {
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
  stage: Stage,
  scenario: Scenario,
  site: Site,
  given: Awaited<ReturnType<NonNullable<Scenario['setUp']>>>,
): Promise<string[]> {
  const found = await scenario
    .check?.(stage, site, given)
    .catch((error: unknown) => [
      `the check could not be made: ${error instanceof Error ? error.message : error}`,
    ]);
  return found ?? [];
}

/** What the process holds once it has had time to let go of the attack. */
async function settled(stage: Stage, before: Vitals | null): Promise<Vitals | null> {
  const started = performance.now();
  for (;;) {
    const now = await stage.service.vitals({ collect: true });
    if (now === null || isBack(before?.now.heapMiB ?? null, now.now.heapMiB)) return now;
    if (performance.now() - started > SETTLED_WITHIN_MS) return now;
    await delay(SETTLED_PAUSE_MS * 5);
  }
}
