import fc from 'fast-check';
import type pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { usePair } from '../support/pair.ts';
import { type CreatedKey, createKey, verify } from '../support/sql-keys.ts';

/** Every check, in the documented order. */
const CHECKS = [
  'REVOKED',
  'WORKSPACE_SUSPENDED',
  'DISABLED',
  'NOT_YET_VALID',
  'EXPIRED',
  'IP_NOT_ALLOWED',
  'INSUFFICIENT_SCOPE',
  'RESOURCE_NOT_ALLOWED',
  'RATE_LIMITED',
  'CREDITS_EXHAUSTED',
];
const RUNS = 150;

const often = <T>(value: T, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(value) }, arbitrary);
const hoursFromNow = fc.constantFrom(null, -1, 1);
const scope = fc.constantFrom('read', 'a:read', 'a:write');

/** Every combination of the state of a key and its workspace. */
const State = fc.record({
  kind: fc.constantFrom('free' as const, 'limited' as const, 'exhausted' as const),
  revoked: often(false, fc.boolean()),
  suspended: often(false, fc.boolean()),
  enabled: often(true, fc.boolean()),
  notBefore: hoursFromNow,
  expiresAt: hoursFromNow,
  allowedIps: often(null, fc.subarray(['203.0.113.0/24', '2001:db8::1'])),
  scopes: fc.subarray(['read', 'a:*', '*', 'a:read']),
  resources: often(null, fc.subarray(['project:alpha', 'project:beta'])),
  requireResource: fc.boolean(),
});
type State = typeof State extends fc.Arbitrary<infer T> ? T : never;

const Request = fc.record(
  {
    requiredScopes: fc.uniqueArray(scope, { minLength: 1 }),
    requiredAnyScope: fc.uniqueArray(scope, { minLength: 1 }),
    resource: fc.constantFrom('project:alpha', 'project:gamma'),
    ip: fc.constantFrom('203.0.113.7', '::ffff:203.0.113.7', '2001:db8::1', '198.51.100.1'),
    cost: fc.constantFrom(0, 1, 2),
  },
  { requiredKeys: [] },
);

describe('explain', () => {
  const pair = usePair();
  const keys = new Map<State['kind'], CreatedKey>();
  let sql: pg.Client;

  beforeAll(async () => {
    const limited = { rateLimits: [{ name: 'all', limit: 1, windowSeconds: 86_400 }] };
    keys.set('free', await createKey(pair.first));
    keys.set('limited', await createKey(pair.first, limited));
    keys.set('exhausted', await createKey(pair.first, { credits: { remaining: 0 } }));
    await verify(pair.first, keys.get('limited')?.key ?? '');
    await pair.flush();
  });

  const explain = async (id: string, request: object) =>
    (await pair.first.call('POST', `/v1/keys/${id}/explain`, { body: request })).body;

  async function applyState(state: State): Promise<CreatedKey> {
    const key = keys.get(state.kind);
    if (!key) throw new Error('there is a key of each kind');
    await sql.query(
      `update keys set revoked_at = case when $2 then now() end, enabled = $3,
              not_before = now() + $4 * interval '1 hour',
              expires_at = now() + $5 * interval '1 hour',
              allowed_ips = $6, scopes = $7, resources = $8 where id = $1`,
      [
        key.id,
        state.revoked,
        state.enabled,
        state.notBefore,
        state.expiresAt,
        state.allowedIps,
        state.scopes,
        state.resources,
      ],
    );
    const status = state.suspended ? 'suspended' : 'active';
    await sql.query(`update workspaces set status = $1, require_resource = $2`, [
      status,
      state.requireResource,
    ]);
    return key;
  }

  it('explain agrees with verify for every state and request, and counts nothing', async () => {
    sql = await connect(pair.databaseUrl);
    let verified = 1;
    await fc.assert(
      fc.asyncProperty(State, Request, async (state, request) => {
        const { id, key } = await applyState(state);
        const explained = await explain(id, request);
        const body = { key, ...request };
        const { body: verdict } = await pair.second.call('POST', '/v1/verify', { body });
        verified++;
        expect(explained).toMatchObject({ valid: verdict.valid, code: verdict.code });
        const failed = explained.checks.filter((check: { passed: boolean }) => !check.passed);
        expect(failed[0]?.code ?? 'VALID').toBe(verdict.code);
        const codes = explained.checks.map((check: { code: string }) => check.code);
        expect(codes).toEqual(CHECKS);
      }),
      { numRuns: RUNS },
    );
    await pair.flush();
    const { rows } = await sql.query('select sum(total)::int as total from key_usage');
    expect(rows).toEqual([{ total: verified }]);
  });

  it('explain shows every check that fails, not only the first', async () => {
    sql = await connect(pair.databaseUrl);
    const { id } = await applyState({
      kind: 'exhausted',
      revoked: true,
      suspended: true,
      enabled: false,
      notBefore: 1,
      expiresAt: -1,
      allowedIps: [],
      scopes: [],
      resources: [],
      requireResource: true,
    });
    const { code, checks } = await explain(id, { requiredScopes: ['read'] });
    const passed = checks.filter((check: { passed: boolean }) => check.passed);
    expect(code).toBe('REVOKED');
    expect(passed).toEqual([{ code: 'RATE_LIMITED', passed: true }]);
  });

  it('explain finds no key of another workspace and none that was deleted', async () => {
    const { id } = await createKey(pair.first);
    await pair.first.call('DELETE', `/v1/keys/${id}`);
    const answer = await pair.first.call('POST', `/v1/keys/${id}/explain`);
    expect(answer.status).toBe(404);
  });
});
