import { LRUCache } from 'lru-cache';
import { columnSet } from '../db/column-set.ts';
import type { Statement } from '../db/database.ts';
import { keys, managementKeys, secretProofs, secrets, workspaces } from '../db/schema.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';

/** What `decide` judges a key by: the one list of these columns. */
const POLICY = columnSet(keys, 'k', [
  'enabled',
  'scopes',
  'resources',
  'allowedIps',
  'notBefore',
  'expiresAt',
  'revokedAt',
]);
/** What else a verification spends from, or answers. */
const KEY = columnSet(keys, 'k', [
  'workspaceId',
  'name',
  'ownerId',
  'metadata',
  'deletedAt',
  'minPolicyVersion',
  'limitNames',
  'limitUnits',
  'limitWindows',
  'creditsLimited',
  'refillInterval',
  'refillAmount',
  'refillDay',
]);
const MANAGEMENT_KEY = columnSet(managementKeys, 'm', [
  'workspaceId',
  'name',
  'permissions',
  'expiresAt',
  'revokedAt',
]);
const WORKSPACE = columnSet(workspaces, 'w', ['id', 'status', 'requireResource', 'deletedAt']);
const SECRET = columnSet(secrets, 's', ['ref', 'keyId', 'hash', 'status', 'validUntil']);
const PROOF = columnSet(secretProofs, 'p', ['pepperId', 'proof']);

export type PolicyColumns = ReturnType<typeof POLICY.read>;
export type KeyColumns = ReturnType<typeof KEY.read>;
export type ManagementKeyColumns = ReturnType<typeof MANAGEMENT_KEY.read>;
export type WorkspaceColumns = ReturnType<typeof WORKSPACE.read>;
type SecretColumns = ReturnType<typeof SECRET.read>;
type ProofColumns = ReturnType<typeof PROOF.read>;

const COLUMN_SETS = [POLICY, KEY, MANAGEMENT_KEY, WORKSPACE, SECRET, PROOF];

/**
 * A row for each requested ref. The `is_` columns say which of the joined tables have a row. Only
 * wildcards need the scopes that the workspace makes available, which can be long.
 */
export const LOAD_CREDENTIALS: Statement = {
  name: 'load_credentials',
  text: `
    select requested.ref, (select id::text from incarnation) as incarnation,
           s.ref is not null as is_secret, k.id is not null as is_key,
           m.id is not null as is_management_key, w.id is not null as is_workspace,
           p.ref is not null as is_proof,
           case when k.scopes::text like '%*%'
             then (select array_agg(available ->> 'scope')
                     from jsonb_array_elements(w.available_scopes) as available) end
             as available_scopes,
           ${COLUMN_SETS.map(({ select }) => select).join(', ')}
      from unnest($1::text[]) as requested (ref)
      left join secrets s on s.ref = requested.ref
      left join keys k on k.id = s.key_id
      left join management_keys m on m.id = s.key_id
      left join workspaces w on w.id = coalesce(k.workspace_id, m.workspace_id)
      left join secret_proofs p on p.ref = s.ref`,
};

/** As the driver gives it. */
export interface RawCredentialRow extends Record<string, unknown> {
  ref: string;
  incarnation: string | null;
  is_secret: boolean;
  is_key: boolean;
  is_management_key: boolean;
  is_workspace: boolean;
  is_proof: boolean;
  available_scopes: string[] | null;
}

/** A secret with what it belongs to. */
export type CredentialRow = {
  secret: SecretColumns;
  proof: ProofColumns | null;
} & (
  | {
      kind: 'key';
      key: KeyColumns;
      policy: PolicyColumns;
      workspace: WorkspaceColumns;
      availableScopes: readonly string[] | null;
    }
  | { kind: 'management'; key: ManagementKeyColumns; workspace: WorkspaceColumns | null }
);

/** Null if there is no such secret, or its key is missing. */
export function readCredentialRow(raw: RawCredentialRow): CredentialRow | null {
  const workspace = raw.is_workspace ? WORKSPACE.read(raw) : null;
  const secret = { secret: SECRET.read(raw), proof: raw.is_proof ? PROOF.read(raw) : null };
  if (raw.is_management_key) {
    return { ...secret, kind: 'management', key: MANAGEMENT_KEY.read(raw), workspace };
  }
  if (!raw.is_key || !workspace) return null;
  const availableScopes = raw.available_scopes && shareScopes(raw.available_scopes);
  const key = { key: KEY.read(raw), policy: POLICY.read(raw) };
  return { ...secret, kind: 'key', ...key, workspace, availableScopes };
}

const SHARED_SCOPES_BYTES = 2 * 1024 * 1024;

/**
 * Cached keys of workspaces with the same scopes share a list of them. Each counts it in full all
 * the same, so that the bound of the cache holds where nothing is shared.
 */
const sharedScopes = new LRUCache<string, readonly string[]>({
  maxSize: SHARED_SCOPES_BYTES,
  sizeCalculation: (scopes, name) => 2 * name.length + 64 * scopes.length + 256,
});

export const SHARED_SCOPES_LIMIT: ResourceLimit = {
  name: 'shared_scopes',
  max: SHARED_SCOPES_BYTES,
  bytesEach: 1,
  used: () => sharedScopes.calculatedSize,
};

function shareScopes(scopes: string[]): readonly string[] {
  const name = scopes.join(' ');
  const shared = sharedScopes.get(name);
  if (!shared) sharedScopes.set(name, scopes);
  return shared ?? scopes;
}
