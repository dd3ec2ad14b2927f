import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { Pepper } from '../../src/domain/pepper.ts';
import { newSigningSecret, sealSecret } from '../../src/webhooks/signing-secret.ts';
import { type Instance, TEST_SECRET } from './instance.ts';

interface NewWebhook {
  url: string;
  format?: 'event' | 'cloudevents';
  workspaceId?: string | null;
  eventTypes?: string[] | null;
  /** The KEYWARD_SECRET that seals its signing secret. */
  sealedWith?: string;
}

/** A webhook made by SQL, and its signing secret. */
export async function addWebhook(
  sql: pg.Client,
  {
    url,
    format = 'event',
    workspaceId = null,
    eventTypes = null,
    sealedWith = TEST_SECRET,
  }: NewWebhook,
) {
  const id = `wh_${randomBytes(8).toString('hex')}`;
  const secret = newSigningSecret();
  await sql.query(
    `insert into webhooks (id, workspace_id, url, event_types, format, signing_secret,
                           created_at, created_by, updated_at)
     values ($1, $2, $3, $4, $5, $6, now(), '{"type":"root","id":"root","onBehalfOf":null}', now())`,
    [id, workspaceId, url, eventTypes, format, seal(id, secret, sealedWith)],
  );
  return { id, secret };
}

export function seal(id: string, secret: string, sealedWith = TEST_SECRET): Buffer {
  return sealSecret(new Pepper(sealedWith).webhookKey, id, secret);
}

/** Sends what is due, and waits until nothing is under way. */
export async function deliver({ service }: Instance): Promise<void> {
  const { deliveries } = service.internals;
  await deliveries.run();
  await deliveries.idle();
}

/** A key, of which each change is an event. */
export async function createKey(instance: Instance, workspaceId = 'default'): Promise<string> {
  const { body, status } = await instance.call('POST', '/v1/keys', {
    body: { name: 'a key with events', workspaceId },
  });
  if (status !== 201) throw new Error(`no key was created: ${status}`);
  return body.id;
}

export async function renameKey(instance: Instance, id: string, name: string): Promise<void> {
  const { status } = await instance.call('PATCH', `/v1/keys/${id}`, { body: { name } });
  if (status !== 200) throw new Error(`the key was not renamed: ${status}`);
}

/** Lets copies of the newest audit entry wait for a webhook, each as an event of a subject of its own. */
export async function queueEvents(sql: pg.Client, webhookId: string, count: number): Promise<void> {
  await sql.query(
    `insert into webhook_deliveries (webhook_id, workspace_id, sequence, event_id, event_type, subject)
     select $1, e.workspace_id, e.sequence, 'evt_' || n, e.action, 'subject ' || n
       from generate_series(1, $2::int) n,
            (select * from audit_events order by time desc limit 1) e`,
    [webhookId, count],
  );
}

/** The deliveries of a webhook, in their order. */
export async function deliveriesOf(sql: pg.Client, webhookId: string) {
  const { rows } = await sql.query(
    `select event_id, event_type, subject, status, due_at, leased_until, attempts
       from webhook_deliveries where webhook_id = $1 order by position`,
    [webhookId],
  );
  return rows;
}
