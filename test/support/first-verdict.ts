import { expect } from 'vitest';
import type { Instance } from './instance.ts';
import { verify } from './sql-keys.ts';

const BACK = { timeout: 30_000, interval: 20 };

/**
 * The first verdict after an outage, during which every answer is a 503. The caller looks at it: an
 * expectation within a poll is tried again where it fails, and a wrong first verdict would pass.
 */
export async function firstVerdict(instance: Instance, key: string): Promise<string> {
  let code = '';
  const attempt = async () => {
    const { status, body } = await verify(instance, key);
    code = body.code;
    return status;
  };
  await expect.poll(attempt, BACK).toBe(200);
  return code;
}
