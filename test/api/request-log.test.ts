import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

const BOUND = 5;
let database: TestDatabase;
let instance: Instance;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url, { logVerifyPerSecond: BOUND });
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

const verify = (key: string, as?: string) =>
  instance.call('POST', '/v1/verify', { body: { key }, ...(as !== undefined && { as }) });

function lines(status: number): number {
  return instance.logLines.filter((line) => {
    const { route, status: own } = JSON.parse(line);
    return route === '/v1/verify' && own === status;
  }).length;
}

describe('the log of verifications', () => {
  it('the log contains at most a fixed number of successful verifications a second', async () => {
    const begun = performance.now();
    await Promise.all(Array.from({ length: 200 }, () => verify('unknown')));
    const seconds = Math.ceil((performance.now() - begun) / 1000) + 1;
    expect(lines(200)).toBeGreaterThanOrEqual(BOUND);
    expect(lines(200)).toBeLessThanOrEqual(BOUND * seconds);
  });

  it('the log contains every verification that was refused', async () => {
    await Promise.all(Array.from({ length: 50 }, () => verify('unknown', 'nobody')));
    expect(lines(401)).toBe(50);
  });
});
