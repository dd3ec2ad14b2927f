import { same, settled } from './checks.ts';
import type { Keyward } from './keyward.ts';

export interface Named {
  id: string;
  key: string;
}

/** What a Keyward has before its backup. */
export interface Furnished {
  /** Used a known number of times, and then left alone. */
  quiet: Named;
  /** Verified all the time while the backup is taken. */
  busy: Named;
  revoked: Named;
  /** Has 7 of 10 credits left. */
  metered: Named;
  /** The string that was replaced, in its grace, and its key with the new one. */
  replaced: string;
  rotated: Named;
  /** Is revoked after the backup. */
  fading: Named;
}

const QUIET_USE = { VALID: 3, INSUFFICIENT_SCOPE: 1 };

export async function furnish(keyward: Keyward): Promise<Furnished> {
  const make = async (more: object = {}): Promise<Named> => {
    const { body } = await keyward.call('POST', '/v1/keys', { name: 'a key', ...more });
    return { id: body.id, key: body.key };
  };
  const quiet = await make({ scopes: ['orders:read'], ownerId: 'customer_42' });
  for (let use = 0; use < 3; use++) await keyward.verdict(quiet.key);
  await keyward.verdict(quiet.key, { requiredScopes: ['members:invite'] });
  const revoked = await make();
  await keyward.call('POST', `/v1/keys/${revoked.id}/revoke`, { reason: 'leaked' });
  const metered = await make({ credits: { remaining: 10 } });
  await keyward.verdict(metered.key, { cost: 3 });
  const before = await make();
  const rotate = `/v1/keys/${before.id}/rotate`;
  const { body: after } = await keyward.call('POST', rotate, { graceSeconds: 86_400 });
  const rotated = { id: before.id, key: after.key };
  const [busy, fading] = [await make(), await make()];
  await settled(
    () => keyward.usage(quiet.id),
    ({ VALID }) => VALID === QUIET_USE.VALID,
  );
  return { quiet, busy, revoked, metered, replaced: before.key, rotated, fading };
}

/** Verifies a key all the time. Its end says how many answers there were. */
export function keepVerifying(keyward: Keyward, key: string): { end: () => Promise<number> } {
  let isOver = false;
  let answered = 0;
  const work = async () => {
    while (!isOver) if ((await keyward.verdict(key)) === 'VALID') answered++;
  };
  const both = Promise.all([work(), work()]);
  const end = async () => {
    isOver = true;
    await both;
    return answered;
  };
  return { end };
}

/** What every backup holds, whenever it was taken. */
export async function checkFurnished(keyward: Keyward, kept: Furnished): Promise<void> {
  const { quiet, revoked, metered, rotated, replaced } = kept;
  same('a key in use is valid', await keyward.verdict(quiet.key, { cost: 0 }), 'VALID');
  same('a revoked key is revoked', await keyward.verdict(revoked.key), 'REVOKED');
  same('a rotated key is valid', await keyward.verdict(rotated.key), 'VALID');
  same('so is the string that it replaces', await keyward.verdict(replaced), 'VALID');
  const { body } = await keyward.call('GET', `/v1/keys/${metered.id}`);
  same('credits are what was left of them', body.credits?.remaining, 7);
  const usage = await settled(
    () => keyward.usage(quiet.id),
    ({ VALID }) => VALID === QUIET_USE.VALID + 1,
  );
  same('counts are those of before, and one more', usage, {
    ...QUIET_USE,
    VALID: QUIET_USE.VALID + 1,
  });
}
