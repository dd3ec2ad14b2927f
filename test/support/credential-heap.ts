import { LRUCache } from 'lru-cache';
import { type Credential, toCredential } from '../../src/credentials/credential.ts';
import { type RawCredentialRow, readCredentialRow } from '../../src/credentials/credential-row.ts';
import { bytesOf } from '../../src/credentials/credential-size.ts';
import { verificationJson } from '../../src/verification/answer.ts';

/**
 * What cached credentials take of the heap beside what their cache counts, in bytes a credential.
 * Run by itself (`node --expose-gc`): other work in the process would be measured too.
 */

const HASH = `$argon2id$v=19$m=19456,t=2,p=1$${'s'.repeat(22)}$${'h'.repeat(43)}`;
const SIZE = 57_344;

function list<Item>(length: number, item: (i: number) => Item): Item[] {
  return Array.from({ length }, (_, i) => item(i));
}
const filled = (length: number, i: number) => `${i}`.padEnd(length, 'x');

/** A row as the driver gives it: nothing of it is shared with another one. */
function rawRow(n: number, fields: Record<string, unknown>): RawCredentialRow {
  const keyId = `key_${String(n).padStart(22, '0')}`;
  const row = {
    ref: String(n).padStart(16, 'r'),
    incarnation: 'i'.repeat(36),
    ...{ is_secret: true, is_key: true, is_management_key: false, is_workspace: true },
    is_proof: false,
    available_scopes: null,
    ...{ s_ref: String(n).padStart(16, 'r'), s_key_id: keyId, s_hash: HASH, s_status: 'current' },
    s_created_at: '2026-01-01T00:00:00Z',
    ...{ w_id: 'default', w_status: 'active', w_require_resource: false },
    ...{ k_workspace_id: 'default', k_name: 'a key', k_enabled: true, k_metadata: {} },
    ...{ k_scopes: ['sources:read'], k_min_policy_version: 1, k_credits_limited: false },
    ...{ k_limit_names: [], k_limit_units: [], k_limit_windows: [] },
    ...fields,
  };
  return JSON.parse(JSON.stringify(row));
}

export const KINDS: [string, number, (n: number) => Record<string, unknown>][] = [
  ['typical keys', 3000, (n) => ({ k_name: `key ${n}`, k_metadata: { plan: 'pro', n } })],
  [
    'keys with many resources and a name beyond Latin-1',
    300,
    (n) => ({ k_name: '鍵', k_resources: list(100, (i) => filled(256, n + i)) }),
  ],
  [
    'keys whose resources are all beyond Latin-1',
    200,
    (n) => ({ k_resources: list(100, (i) => `${n}${'鍵'.repeat(150)}${i}`) }),
  ],
  ['keys with many scopes', 300, (n) => ({ k_scopes: list(100, (i) => filled(128, n + i)) })],
  [
    'keys with many addresses',
    300,
    (n) => ({ k_allowed_ips: list(100, (i) => `2001:db8:${(n + i).toString(16)}:1:2:3:4:0/112`) }),
  ],
  [
    'keys whose metadata is many small objects',
    200,
    () => ({ k_metadata: { x: list(1300, () => ({ a: 1 })) } }),
  ],
  [
    'keys whose metadata has many names of their own',
    300,
    (n) => ({
      k_metadata: Object.fromEntries(list(64, (i) => [`${n}-${i}-${'m'.repeat(20)}`, i])),
    }),
  ],
  [
    'keys whose metadata needs escapes',
    300,
    () => ({ k_metadata: Object.fromEntries(list(8, (i) => [`${i}`, '\u0001'.repeat(160)])) }),
  ],
  [
    'keys with wildcards in a workspace of many scopes',
    800,
    (n) => ({ k_scopes: ['*'], available_scopes: list(SIZE / 128, (i) => filled(128, n + i)) }),
  ],
];

export interface HeapGrowth {
  grown: number;
  estimated: number;
}

/** What the heap grows by while a cache takes credentials, with the texts of their answers. */
function heapGrowth(count: number, fields: (n: number) => Record<string, unknown>): HeapGrowth {
  const cache = new LRUCache<string, Credential>({ maxSize: 2 ** 31 });
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < count; n++) {
    const row = readCredentialRow(rawRow(n, fields(n)));
    const credential = row && toCredential(row);
    if (credential?.kind !== 'key') throw new Error('no key');
    const verdict = { code: 'VALID', missingScopes: [], quota: null } as const;
    verificationJson({ ...verdict, credential }, 'id');
    cache.set(credential.ref, credential, { size: bytesOf(credential) });
  }
  globalThis.gc?.();
  const grown = process.memoryUsage().heapUsed - before;
  return { grown: grown / count, estimated: cache.calculatedSize / count };
}

if (import.meta.main) {
  const growth = KINDS.map(([kind, count, fields]) => [kind, heapGrowth(count, fields)]);
  process.stdout.write(JSON.stringify(Object.fromEntries(growth)));
}
