import { expect, it } from 'vitest';
import { AUDIT_ACTIONS } from '../../src/audit/actions.ts';
import { EVENTS } from '../../src/events/catalogue.ts';
import { undocumentedEvents } from '../support/event-schemas.ts';
import { createFixture, MUTATING_CALLS } from '../support/mutating-calls.ts';
import { usePair } from '../support/pair.ts';

const pair = usePair();
let count = 0;

it('every action of the audit log is a type of event in the catalogue, and no other is', () => {
  expect(Object.keys(EVENTS).sort()).toEqual([...AUDIT_ACTIONS].sort());
});

it.each(Object.keys(MUTATING_CALLS))(
  'what %s puts into the audit log is as the schemas of its events say',
  async (operation) => {
    const fixture = await createFixture(pair.first, `events-${++count}`);
    const call = await MUTATING_CALLS[operation]?.(fixture);
    if (!call) throw new Error(`nothing is known of ${operation}`);
    const { method, url, body, ownKey } = call;
    const as = ownKey ? { as: ownKey.key } : {};
    const { status } = await pair.first.call(method, url, { ...as, ...(body && { body }) });
    expect(status).toBeLessThan(300);
    expect(await undocumentedEvents(pair.databaseUrl)).toEqual([]);
  },
);
