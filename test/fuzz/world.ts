import type { Random } from '../history/harness/random.ts';
import type { HttpAnswer } from './http.ts';

const MAX_REMEMBERED = 60;

/** What the fuzzer knows about the service: existing resources, and credentials. */
export class World {
  readonly rootKey: string;
  readonly keyIds: string[] = [];
  readonly managementIds: string[] = [];
  readonly workspaceIds = ['default', 'ws-one', 'ws-two'];
  /** The first of each does not exist. */
  readonly webhookIds = ['wh_0000000000000000000000'];
  readonly alertIds = ['alert_0000000000000000000000'];
  readonly deliveryIds = ['00000000-0000-4000-8000-000000000000'];
  readonly cursors: string[] = [];
  readonly etags: string[] = [];
  /** Strings of customer keys, and of management keys. */
  readonly keys: string[] = [];
  readonly managementKeys: string[] = [];
  /** Every string that was ever issued. */
  readonly issued = new Set<string>();

  /** Signs a report of leaked keys as GitHub does. */
  readonly signatureOf: (body: Buffer) => Record<string, string>;

  constructor(rootKey: string, signatureOf: World['signatureOf']) {
    this.rootKey = rootKey;
    this.signatureOf = signatureOf;
  }

  /** Remembers what a call created. */
  learn(operation: string, { status, body, headers }: HttpAnswer): void {
    if (status < 200 || status > 299) return;
    keep(this.etags, headers.etag);
    const { id, key, nextCursor } = fieldsOf(body);
    keep(this.cursors, nextCursor);
    const isManagement = operation.endsWith('ManagementKey');
    if (operation === 'createKey') keep(this.keyIds, id);
    if (operation === 'createManagementKey') keep(this.managementIds, id);
    if (operation === 'createWebhook') keep(this.webhookIds, id);
    if (operation === 'listAlerts') keepAll(this.alertIds, body);
    if (operation === 'listDeliveries') keepAll(this.deliveryIds, body);
    if (typeof key !== 'string') return;
    this.issued.add(key);
    keep(isManagement ? this.managementKeys : this.keys, key);
  }

  /** One to report as leaked: mostly of a customer's key, as without management keys little succeeds. */
  leakedKey(random: Random): string {
    return random.chance(0.9) ? random.pick(this.keys) : this.someKey(random);
  }

  /** The ids of what a path is about. */
  idsFor(path: string): readonly string[] {
    if (path.startsWith('/v1/workspaces')) return this.workspaceIds;
    if (path.startsWith('/v1/webhooks')) return this.webhookIds;
    if (path.startsWith('/v1/alerts')) return this.alertIds;
    return path.startsWith('/v1/management-keys') ? this.managementIds : this.keyIds;
  }

  /** A text to present as a key, valid or not. */
  someKey(random: Random): string {
    const known = random.pick([...this.keys, ...this.managementKeys, this.rootKey]);
    return random.weighted([
      [12, known],
      [1, known.slice(0, -1)],
      [1, `${known.slice(0, -1)}z`],
      [1, known.toUpperCase()],
      [1, `Bearer ${known}`],
      [1, ` ${known} `],
      [1, `ak_live_${'0'.repeat(65)}`],
      [1, 'not a key'],
    ]);
  }
}

function fieldsOf(body: unknown): Record<string, unknown> {
  return typeof body === 'object' && body !== null ? { ...body } : {};
}

function keepAll(list: string[], body: unknown): void {
  const { data } = fieldsOf(body);
  if (Array.isArray(data)) for (const item of data) keep(list, fieldsOf(item).id);
}

function keep(list: string[], value: unknown): void {
  if (typeof value !== 'string') return;
  list.push(value);
  if (list.length > MAX_REMEMBERED) list.shift();
}
