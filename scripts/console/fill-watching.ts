import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { BenchEnv } from '../../bench/harness/env.ts';
import type { Call } from './fill.ts';

/** Receivers on loopback: one that takes everything, and one that is down. */
export async function startReceivers(): Promise<{ urls: string[]; close: () => void }> {
  const servers = await Promise.all([204, 503].map(startReceiver));
  const close = () => {
    for (const server of servers) server.close();
  };
  return { urls: servers.map(urlOf), close };
}

async function startReceiver(status: number): Promise<Server> {
  const server = createServer((request, reply) => {
    request.resume();
    reply.writeHead(status).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server.unref();
}

function urlOf(server: Server): string {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the receiver listens');
  return `http://127.0.0.1:${address.port}/hooks/keyward`;
}

/** Webhooks before anything else happens. Returns the one that works. */
export async function fillWebhooks(call: Call, urls: readonly string[]): Promise<string> {
  const [works = '', fails = ''] = urls;
  const eventTypes = ['key.revoked', 'alert.key_leaked', 'alert.key_expiring', 'alert.key_unused'];
  await call('POST', '/v1/webhooks', {
    url: fails,
    description: 'Chat of the platform team',
    eventTypes,
  });
  const { id } = await call('POST', '/v1/webhooks', {
    url: works,
    description: 'Log store',
    format: 'cloudevents',
  });
  await call('POST', `/v1/webhooks/${id}/ping`);
  return id;
}

/** Alerts as the job makes them, which would take days, and keys that nobody has used for long. */
export async function fillAlerts(query: BenchEnv['query']): Promise<void> {
  await query(`update keys set created_at = now() - interval '200 days', updated_at = now() - interval '150 days'
                where name in ('data-lake', 'partner-portal')`);
  for (const [name, type, hoursAgo, details] of ALERTS) {
    await query(
      `insert into alerts (id, workspace_id, type, target_type, target_id, cause, details, opened_at)
       select 'alert_' || substr(md5(k.id || $2) || md5(k.id), 1, 22), k.workspace_id, $2, 'key', k.id, 'picture',
              $3, now() - make_interval(hours => $4)
         from keys k where k.name = $1`,
      [name, type, JSON.stringify(details), hoursAgo],
    );
  }
  await query(`update alerts set acknowledged_at = now() - interval '20 minutes', acknowledge_note = 'The customer moves to a new key on Monday.',
                      acknowledged_by = '{"type": "management_key", "id": "mk_picture", "onBehalfOf": "ada@example.com"}'
                where type = 'limited_often'`);
}

const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();

const ALERTS: readonly (readonly [string, string, number, object])[] = [
  [
    'ci-deploys',
    'key_leaked',
    1,
    {
      response: 'revoked',
      url: 'https://github.com/acme/deploy/blob/main/.env',
      source: 'content',
    },
  ],
  [
    'crm-integration',
    'usage_unusual',
    2,
    { hour: ago(3), verifications: 48_210, unusualAbove: 6_100 },
  ],
  ['crm-integration', 'limited_often', 5, { hours: 7, limited: 1294, until: ago(5) }],
  ['nightly-export', 'key_expiring', 8, { expiresAt: ago(-120), days: 7 }],
  ['legacy-webhook', 'ended_string_used', 20, { endedBy: 'rotation', lastPresentedAt: ago(20) }],
  ['data-lake', 'key_unused', 30, { lastUsedAt: null, unusedSince: ago(4800), warnAfterDays: 90 }],
  ['billing-sync', 'credits_low', 49, { remaining: 61, threshold: 100 }],
];
