import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { createFixture, MUTATING_CALLS } from '../support/mutating-calls.ts';
import { usePair } from '../support/pair.ts';

/**
 * The order of docs/correctness.md. The digests of imported keys are claimed before there are keys; a
 * table that is not here must not be locked by a change.
 */
const ORDER = [
  ['idempotency key', /pg_try_advisory_xact_lock/],
  ['workspaces', /(?:insert into|update) "workspaces"|from "workspaces".* for /],
  ['imported digests', /insert into "secrets".*on conflict/],
  ['keys', /(?:insert into|update) "keys"|from "keys".* for /],
  ['management keys', /(?:insert into|update) "management_keys"|from "management_keys".* for /],
  ['webhooks', /(?:insert into|update) "webhooks"|from "webhooks".* for /],
  ['deliveries', /(?:insert into|update) "webhook_deliveries"/],
  [
    'key consumption',
    /(?:insert into|update) "key_consumption"|align_consumption|from "key_consumption".* for /,
  ],
  ['secrets', /(?:insert into|update) "secrets"/],
  ['secret proofs', /(?:insert into|update) "secret_proofs"/],
  ['imported algorithms', /insert into "imported_algorithms"/],
  ['alerts', /(?:insert into|update) "alerts"|from "alerts".* for /],
  ['stored answers', /insert into "idempotency_keys"/],
  ['audit heads', /lock_audit_logs/],
  ['audit events', /insert into "audit_events"/],
] as const;
const LOCKS =
  /^(?:insert|update|delete)| for (?:update|share|no key update|key share)|_lock|align_/;

/** What a statement locks, by its place in the order; null if nothing. */
function placeOf(text: string): number | null {
  const place = ORDER.findIndex(([, pattern]) => pattern.test(text));
  if (place >= 0) return place;
  if (LOCKS.test(text)) throw new Error(`locks something that is not in the order: ${text}`);
  return null;
}

/** The places of the locks of each transaction, each when it is first taken. */
async function recordLocks(work: () => Promise<unknown>): Promise<number[][]> {
  const query = vi.spyOn(pg.Client.prototype, 'query');
  try {
    await work();
    const transactions = new Map<unknown, number[]>();
    const ended: number[][] = [];
    for (const [index, [config]] of query.mock.calls.entries()) {
      const client = query.mock.contexts[index];
      const text = textOf(config);
      if (text === 'begin') {
        const taken: number[] = [];
        transactions.set(client, taken);
        ended.push(taken);
      }
      const taken = transactions.get(client);
      if (/^(?:commit|rollback)/.test(text)) transactions.delete(client);
      const place = taken ? placeOf(text) : null;
      if (taken && place !== null && !taken.includes(place)) taken.push(place);
    }
    return ended;
  } finally {
    query.mockRestore();
  }
}

function textOf(config: unknown): string {
  if (typeof config === 'string') return config;
  const isConfig = typeof config === 'object' && config !== null && 'text' in config;
  return isConfig ? String(config.text).replace(/\s+/g, ' ').trim() : '';
}

describe('the one order of locks', () => {
  const pair = usePair();
  let count = 0;

  it.each(Object.keys(MUTATING_CALLS))(
    '%s takes its locks in the one order, the audit log last',
    async (operation) => {
      const fixture = await createFixture(pair.first, `order-${++count}`);
      const call = await MUTATING_CALLS[operation]?.(fixture);
      if (!call) throw new Error(`nothing is known of ${operation}`);
      const { method, url, body, ownKey } = call;
      const headers = { 'idempotency-key': `order-${count}` };
      const as = ownKey ? { as: ownKey.key } : { headers };
      const transactions = await recordLocks(async () => {
        const { status } = await pair.first.call(method, url, { ...as, ...(body && { body }) });
        expect(status).toBeLessThan(300);
      });
      const names = transactions.map((places) => places.map((place) => ORDER[place]?.[0]));
      const sorted = transactions.map((places) =>
        places.toSorted((a, b) => a - b).map((place) => ORDER[place]?.[0]),
      );
      expect(names).toEqual(sorted);
      expect(names.flat()).toContain('audit heads');
    },
  );

  it('a change of limits and credits takes its locks in the one order', async () => {
    const { key } = await createFixture(pair.first, `order-${++count}`);
    const rateLimits = [{ name: 'a', limit: 5, windowSeconds: 60 }];
    const body = { rateLimits, credits: { remaining: 7 }, expiresInSeconds: 60 };
    const transactions = await recordLocks(() =>
      pair.first.call('PATCH', `/v1/keys/${key.id}`, { body }),
    );
    expect(transactions).toEqual(transactions.map((places) => places.toSorted((a, b) => a - b)));
    expect(transactions.flat().length).toBeGreaterThan(3);
  });
});
