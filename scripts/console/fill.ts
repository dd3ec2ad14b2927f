import type { BenchEnv } from '../../bench/harness/env.ts';

const NAMES = [
  'prod-main-app',
  'crm-integration',
  'staging-api',
  'nightly-export',
  'legacy-webhook',
  'billing-sync',
  'mobile-backend',
  'analytics',
  'partner-portal',
  'support-tools',
  'data-lake',
  'ci-deploys',
];
const OWNERS = ['org_4411', 'org_2087', 'team_platform', 'svc_export'];
const DAY_SECONDS = 86_400;

export type Call = (method: string, path: string, body?: object) => Promise<Answer>;

interface Answer {
  id: string;
  key: string;
}

/** Keys in every state, and a month of their use. Returns one in the middle of a rotation. */
export async function fillInstallation(call: Call, query: BenchEnv['query']): Promise<string> {
  await call('PUT', '/v1/workspaces/acme', {
    name: 'Acme Inc.',
    maxLifetimeSeconds: 90 * DAY_SECONDS,
    availableScopes: [
      { scope: 'orders:read', title: 'Read orders', description: 'List and read all orders.' },
      { scope: 'orders:write', title: 'Write orders', description: 'Create and cancel orders.' },
    ],
  });
  // What pictures create is in no other picture.
  await call('PUT', '/v1/workspaces/try', { name: 'Trials' });
  for (const name of ['gateway', 'dashboard', 'ci']) {
    await call('POST', '/v1/management-keys', { name, permissions: ['keys:read', 'keys:verify'] });
  }
  const made = new Map<string, Answer>();
  for (const [index, name] of NAMES.entries()) {
    made.set(name, await call('POST', '/v1/keys', newKey(name, index)));
  }
  await useKeys(call, query, [...made.values()]);
  const idOf = (name: string) => made.get(name)?.id ?? '';
  await call('POST', `/v1/keys/${idOf('crm-integration')}/rotate`, { graceSeconds: DAY_SECONDS });
  await call('PATCH', `/v1/keys/${idOf('legacy-webhook')}`, { enabled: false });
  await call('POST', `/v1/keys/${idOf('ci-deploys')}/revoke`, { reason: 'left' });
  return idOf('crm-integration');
}

function newKey(name: string, index: number): object {
  const scopes = ['orders:read', ...(index % 3 ? ['contacts:read'] : [])];
  return {
    name,
    ownerId: OWNERS[index % OWNERS.length],
    scopes: name === 'legacy-webhook' ? ['*'] : scopes,
    ...(name === 'nightly-export' && { expiresInSeconds: 5 * DAY_SECONDS }),
    ...(index % 2 === 1 && name !== 'nightly-export' && { expiresInSeconds: 100 * DAY_SECONDS }),
    ...(name === 'crm-integration' && {
      rateLimits: [{ name: 'per-minute', limit: 100, windowSeconds: 60 }],
      credits: {
        remaining: 8412,
        refill: { interval: 'monthly', amount: 50_000, dayOfMonth: 1 },
      },
    }),
  };
}

/** Some verifications now, and what the 29 days before would have left of them. */
async function useKeys(call: Call, query: BenchEnv['query'], keys: readonly Answer[]) {
  for (const { key } of keys.slice(0, 10)) {
    for (const requiredScopes of [['orders:read'], ['orders:read'], ['admin:all']]) {
      await call('POST', '/v1/verify', {
        key,
        requiredScopes,
        ip: '203.0.113.7',
        userAgent: 'axios/1.7',
      });
    }
  }
  await query(`
    insert into usage_recent (workspace_id, key_id, hour, secret_ref, code, count, units)
    select k.workspace_id, k.id, date_trunc('day', now(), 'UTC') - make_interval(days => d, hours => -10),
           s.ref, code,
           case code when 'VALID' then (200 + (hashtext(k.id || d) & 1023)) * (1 + (hashtext(k.id) & 3))
                else hashtext(k.id || d || code) & 63 end, 0
      from keys k join secrets s on s.key_id = k.id, generate_series(1, 29) d,
           unnest(array['VALID', 'RATE_LIMITED', 'INSUFFICIENT_SCOPE']) code
     where k.name not in ('data-lake', 'ci-deploys')`);
}
