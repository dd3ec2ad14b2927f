import type { Random } from '../history/harness/random.ts';
import type { HttpAnswer } from './http.ts';

const MAX_REMEMBERED = 60;

/** What the fuzzer knows about the service: existing resources, and credentials. */
export class World {
  readonly rootKey: string;
  readonly keyIds: string[] = [];
  readonly managementIds: string[] = [];
  readonly workspaceIds = ['default', 'ws-one', 'ws-two'];
  readonly cursors: string[] = [];
  readonly etags: string[] = [];
  /** Strings of customer keys, and of management keys. */
  readonly keys: string[] = [];
  readonly managementKeys: string[] = [];
  /** Every string that was ever issued. */
  readonly issued = new Set<string>();

  constructor(rootKey: string) {
    this.rootKey = rootKey;
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
    if (typeof key !== 'string') return;
    this.issued.add(key);
    keep(isManagement ? this.managementKeys : this.keys, key);
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

function keep(list: string[], value: unknown): void {
  if (typeof value !== 'string') return;
  list.push(value);
  if (list.length > MAX_REMEMBERED) list.shift();
}
