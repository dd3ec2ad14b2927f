import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Operation } from '../fuzz/document.ts';
import type { HttpAnswer } from '../fuzz/http.ts';
import { queueEvents } from '../support/sent-webhooks.ts';
import { copyRow } from '../support/sql-copies.ts';
import { largestWithin } from './inputs.ts';

export type Call = (method: string, path: string, body?: string) => Promise<HttpAnswer>;

const KEYS = 1000;
const WORKSPACES = 300;
const DELIVERIES = 1000;
const ALERTS = 1000;
const MAX_STORED = 57_000;
/** Nothing listens there. */
export const RECEIVER = 'http://127.0.0.1:9/';

/** The string of one of the largest keys, which are imported ones. */
export const presented = (index: number) => `a key of another system ${index}`;
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

export interface BudgetWorld {
  keyId: string;
  managementKeyId: string;
  webhookId: string;
  alertId: string;
}

/** Workspaces with all scopes that fit, and keys that are as large as keys can be. */
export async function makeWorld(
  call: Call,
  client: pg.Client,
  operations: readonly Operation[],
): Promise<BudgetWorld> {
  await must(call('PUT', '/v1/workspaces/open', '{}'));
  await must(call('PUT', '/v1/workspaces/worst', JSON.stringify({ availableScopes: scopes() })));
  const original = await importLargest(call, operations);
  await copyKeys(client, original);
  await copyWorkspaces(client);
  const manager = { name: 'm', permissions: ['keys:read'], workspaceId: null };
  const made = await must(call('POST', '/v1/management-keys', JSON.stringify(manager)));
  const webhook = { workspaceId: 'worst', url: RECEIVER, description: 'd'.repeat(200) };
  const { body } = await must(call('POST', '/v1/webhooks', JSON.stringify(webhook)));
  const webhookId = idIn(body);
  await makeDeliveries(client, webhookId);
  const alertId = await makeAlerts(client);
  return { keyId: original, managementKeyId: idIn(made.body), webhookId, alertId };
}

function scopes(): object[] {
  return Array.from({ length: 500 }, (_, i) => {
    return { scope: `${'resource-'.repeat(4)}${i}:read`, title: 't', description: 'd' };
  });
}

async function importLargest(call: Call, operations: readonly Operation[]): Promise<string> {
  const create = operations.find(({ id }) => id === 'createKey');
  if (!create?.body) throw new Error('keys can be created');
  const fields = JSON.parse(largestWithin(create.body, MAX_STORED));
  // A wildcard is judged by the scopes of the workspace, which are loaded with each key.
  fields.scopes[0] = '*';
  const hash = { algorithm: 'sha256', value: digestOf(presented(0)) };
  const body = { workspaceId: 'open', keys: [{ ...fields, ownerId: 'crowd', hash }] };
  const { body: report } = await must(call('POST', '/v1/keys/import', JSON.stringify(body)));
  const [result] = Object(report).results;
  if (result.status !== 'created') throw new Error(JSON.stringify(result).slice(0, 500));
  return result.keyId;
}

/** Copies belong to the workspace with scopes, and each is found by its own string. */
async function copyKeys(client: pg.Client, original: string): Promise<void> {
  const id = (index: number) => `key_${String(index).padStart(22, '0')}`;
  const copies = Array.from({ length: KEYS }, (_, i) => i + 1);
  const keys = copies.map((i) => ({ id: id(i), workspace_id: 'worst' }));
  await copyRow(client, 'keys', { id: original }, keys);
  const secrets = copies.map((i) => {
    const hash = `sha256:${digestOf(presented(i))}`;
    const ref = `${hash}@worst`;
    return { id: `sec_${i}`, key_id: id(i), workspace_id: 'worst', ref, hash };
  });
  await copyRow(client, 'secrets', { key_id: original }, secrets);
}

async function copyWorkspaces(client: pg.Client): Promise<void> {
  await client.query(
    `insert into workspaces
     select copy.* from workspaces original, generate_series(1, $1) as number,
            jsonb_populate_record(original, jsonb_build_object('id', 'copy-' || number)) as copy
      where original.id = 'worst'`,
    [WORKSPACES],
  );
}

/** Each has failed with every attempt, in the transaction that makes it, so that none is sent. */
async function makeDeliveries(client: pg.Client, webhookId: string): Promise<void> {
  const at = new Date().toISOString();
  const attempt = { at, status: null, durationMs: 10_000, error: 'timed_out' };
  await client.query('begin');
  await queueEvents(client, webhookId, DELIVERIES);
  await client.query(
    `update webhook_deliveries
        set status = 'failed', finished_at = now(), due_at = null, attempts = $1::jsonb`,
    [JSON.stringify(Array.from({ length: 10 }, () => attempt))],
  );
  await client.query('commit');
}

async function makeAlerts(client: pg.Client): Promise<string> {
  const details = { url: `https://example.com/${'p'.repeat(1900)}`, response: 'revoked' };
  const { rows } = await client.query<{ id: string }>(
    `insert into alerts (id, workspace_id, type, target_type, target_id, cause, details, opened_at)
     select 'alert_' || lpad(n::text, 22, '0'), 'worst', 'key_leaked', 'key',
            'key_' || lpad(n::text, 22, '0'), 'cause', $2, now()
       from generate_series(1, $1::int) n returning id`,
    [ALERTS, details],
  );
  return String(rows[0]?.id);
}

async function must(answer: Promise<HttpAnswer>): Promise<HttpAnswer> {
  const { status, text, ...rest } = await answer;
  if (status < 300) return { status, text, ...rest };
  throw new Error(`the world cannot be made: ${status} ${text.slice(0, 1000)}`);
}

function idIn(body: unknown): string {
  return String(Object(body).id);
}
