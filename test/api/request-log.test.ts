import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, launchForTest, ROOT_KEY } from '../support/instance.ts';
import { createKey } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';

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

  it('with a bound of 0 the log contains no successful verification, and the refused ones all the same', async () => {
    const quiet = await launchForTest(database.url, { logVerifyPerSecond: 0 });
    const verifyAs = (as: string) =>
      quiet.call('POST', '/v1/verify', { body: { key: 'unknown' }, as });
    for (const as of [ROOT_KEY, 'nobody', ROOT_KEY]) await verifyAs(as);
    const verifications = quiet.logLines.filter((line) => line.includes('/v1/verify'));
    expect(verifications.map((line) => JSON.parse(line).status)).toEqual([401]);
  });
});

describe('the log of failures', () => {
  const lineOf = (requestId: string, msg: string) => {
    const lines = instance.logLines.map((line) => JSON.parse(line));
    return lines.find((line) => line.requestId === requestId && line.msg === msg);
  };

  it.each([
    [500, 'INTERNAL', 'error', 'request failed', 'P0001'],
    [503, 'UNAVAILABLE', 'warn', 'no answer', '57P01'],
  ])(
    'a %i is logged under its request id with its SQLSTATE, without what the database said',
    async (status, code, level, msg, sqlState) => {
      const said = `Failing row contains (${sqlState}, a customer's name).`;
      const { key } = await createKey(instance, { credits: { remaining: 10 } });
      const restore = interceptQuery(instance.service.internals.database, 'consume_limits', () => {
        const detail = { code: sqlState, detail: said, where: said, hint: said };
        throw Object.assign(new Error(`${said}\n    at ${said}`), detail);
      });
      const answer = await verify(key);
      restore();
      expect(answer).toMatchObject({ status, body: { code } });
      const line = lineOf(answer.body.requestId, msg);
      expect(line).toMatchObject({ level, code, err: { code: sqlState } });
      expect(line.err.stack.join()).toContain('src/quotas/quota-store.ts');
      expect(instance.logLines.join('') + answer.text).not.toContain('customer');
    },
  );
});
