import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { launch } from '../support/instance.ts';

const SECONDS_30 = 30_000;

it('a request has 30 seconds to arrive, which is less than what Node.js gives it', async () => {
  const database = await createTestDatabase();
  const instance = await launch(database.url);
  const { requestTimeout, headersTimeout } = instance.service.app.server;
  await instance.stop();
  await database.drop();
  expect(requestTimeout).toBe(SECONDS_30);
  expect(headersTimeout).toBeLessThanOrEqual(2 * SECONDS_30);
  expect(createServer().requestTimeout).toBeGreaterThan(SECONDS_30);
});
