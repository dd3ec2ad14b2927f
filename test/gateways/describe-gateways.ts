import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { caddy } from './caddy.ts';
import { type Fixture, openFixture } from './fixture.ts';
import type { GatewayProgram } from './gateway.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';

export interface GatewayTests {
  /** The beginning of each title. */
  name: string;
  program: GatewayProgram;
  /** Shared by the tests of a file; what the API received is forgotten before each. */
  fixture: () => Fixture;
}

/** The same tests with every gateway that is installed; scripts/test-gateways.sh finds them. */
export function describeGateways(define: (tests: GatewayTests) => void): void {
  for (const program of [nginx, caddy, haproxy]) {
    describe.runIf(program.path !== '')(`an API behind ${program.name}`, () => {
      let shared: Fixture | undefined;
      const fixture = () => {
        if (!shared) throw new Error('the fixture is open only while tests run');
        return shared;
      };
      beforeAll(async () => {
        shared = await openFixture(program);
      });
      beforeEach(() => {
        fixture().received.length = 0;
      });
      afterAll(() => shared?.end());
      define({ name: program.name, program, fixture });
    });
  }
}
