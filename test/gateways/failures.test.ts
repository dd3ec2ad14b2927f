import { expect, it, onTestFinished } from 'vitest';
import { at } from '../support/shared-program.ts';
import { describeGateways } from './describe-gateways.ts';
import { ANY_KEY } from './expectations.ts';
import { type Fixture, openFixture, START_TIMEOUT_MS } from './fixture.ts';

describeGateways(({ name, program, fixture }) => {
  /** One that a test may break. */
  async function openOwn(credential?: string): Promise<Fixture> {
    const own = await openFixture(program, credential === undefined ? {} : { credential });
    onTestFinished(own.end);
    return own;
  }

  it.each(['/misspelt/x', '/forgotten/x'])(
    `${name} is closed at a location whose question is wrong or missing: %s`,
    async (path) => {
      const { key } = await fixture().createKey({ scopes: ['*'] });
      const answer = await fixture().sendWith(key, path);
      expect(answer.status).toBe(503);
      expect(answer.body).not.toContain('requireScopes');
      expect((await fixture().send(path)).status).toBe(503);
      expect(fixture().received).toEqual([]);
    },
  );

  it(
    `${name} is closed while Keyward is away`,
    async () => {
      const { sendWith, received, killKeyward, createKey } = await openOwn();
      const { key } = await createKey({ scopes: ['*'] });
      expect((await sendWith(key, ANY_KEY)).status).toBe(200);
      await killKeyward();
      for (const path of [ANY_KEY, '/orders/7']) {
        expect((await sendWith(key, path)).status).toBe(program.statusWithoutKeyward);
      }
      expect(received).toHaveLength(1);
    },
    START_TIMEOUT_MS,
  );

  it(
    `${name} is closed and answers within seconds if Keyward takes questions and gives no verdict`,
    async () => {
      const { sendWith, received, freezeKeyward, createKey } = await openOwn();
      const { key } = await createKey();
      expect((await sendWith(key, ANY_KEY)).status).toBe(200);
      freezeKeyward();
      expect((await sendWith(key, ANY_KEY)).status).toBeGreaterThanOrEqual(500);
      expect(received).toHaveLength(1);
    },
    START_TIMEOUT_MS,
  );

  it(
    `${name} is closed if its own credential is wrong, and does not blame the client`,
    async () => {
      const { send, sendWith, received, root, createKey, gatewayKeyId } = await openOwn();
      const { key } = await createKey();
      expect((await sendWith(key, ANY_KEY)).status).toBe(200);
      await root.POST('/v1/management-keys/{id}/revoke', at(gatewayKeyId));
      const without = await openOwn('');
      const other = await without.createKey();
      const answers = [
        await sendWith(key, ANY_KEY),
        await send(ANY_KEY),
        await without.sendWith(other.key, ANY_KEY),
        await without.send(ANY_KEY),
      ];
      for (const { status, headers } of answers) {
        expect(status).toBe(503);
        expect(headers).not.toHaveProperty('www-authenticate');
      }
      expect([...received.slice(1), ...without.received]).toEqual([]);
    },
    START_TIMEOUT_MS,
  );
});
