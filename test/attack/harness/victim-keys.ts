import { type SampledKey, seedKeys } from '../../../bench/seed.ts';
import { Pepper } from '../../../src/domain/pepper.ts';
import type { AttackEnv } from './env.ts';
import { SECRET } from './service.ts';

const HOT = 50;
const WITH_QUOTA = 4;
const ROTATING = 10;
const SPARE = 1;
/** Some of the seeded keys are not active. */
const SHARE_ACTIVE = 0.85;

/** The workspace of the victims of one phase, and its keys, all of which verify as VALID. */
export interface VictimKeys {
  workspaceId: string;
  managementKey: string;
  hot: SampledKey[];
  withQuota: SampledKey[];
  rotating: SampledKey[];
  /** Each is revoked once. */
  revocable: SampledKey[];
  spare: SampledKey;
}

export async function makeVictimKeys(env: AttackEnv, revocations: number): Promise<VictimKeys> {
  const { workspaceId, managementKey } = await env.makeWorkspace('victim');
  const wanted = HOT + WITH_QUOTA + ROTATING + SPARE + revocations;
  const keys = Math.ceil(wanted / SHARE_ACTIVE) + 10;
  const seed = { keys, pepper: new Pepper(SECRET), workspaceId, sampleEvery: 1 };
  const made = await seedKeys(env.databaseUrl, seed);
  if (made.length < wanted) throw new Error('too few of the seeded keys are active');
  const [spare] = made.splice(0, SPARE);
  if (!spare) throw new Error('there is a spare key');
  const hot = made.splice(0, HOT);
  const withQuota = made.splice(0, WITH_QUOTA);
  const rotating = made.splice(0, ROTATING);
  await limit(env, withQuota);
  return { workspaceId, managementKey, hot, withQuota, rotating, revocable: made, spare };
}

/** A rate limit and credits that are never reached. */
async function limit(env: AttackEnv, keys: readonly SampledKey[]): Promise<void> {
  const ids = keys.map(({ id }) => id);
  await env.query(
    `update keys set limit_names = '{per-minute}', limit_units = '{1000000000}',
                     limit_windows = '{60}', credits_limited = true, min_policy_version = 2
      where id = any($1)`,
    [ids],
  );
  await env.query(
    'insert into key_consumption (key_id, credits) select unnest($1::text[]), 1000000000',
    [ids],
  );
}
