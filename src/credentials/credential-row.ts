import { LRUCache } from 'lru-cache';
import { columnSet } from '../db/column-set.ts';
import type { Statement } from '../db/database.ts';
import { keys, managementKeys, secretProofs, secrets, workspaces } from '../db/schema.ts';
import { UNREAD } from '../db/unread-rows.ts';
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
  'maxRequestsPerSecond',
]);
const WORKSPACE = columnSet(workspaces, 'w', [
  'id',
  'status',
  'requireResource',
  'deletedAt',
  'maxRequestsPerSecond',
]);
const SECRET = columnSet(secrets, 's', [
  'ref',
  'keyId',
  'hash',
  'status',
  'validUntil',
  'createdAt',
]);
const PROOF = columnSet(secretProofs, 'p', ['pepperId', 'proof', 'tag']);

export type PolicyColumns = ReturnType<typeof POLICY.read>;
export type KeyColumns = ReturnType<typeof KEY.read>;
export type ManagementKeyColumns = ReturnType<typeof MANAGEMENT_KEY.read>;
export type WorkspaceColumns = ReturnType<typeof WORKSPACE.read>;
type SecretColumns = ReturnType<typeof SECRET.read>;
type ProofColumns = ReturnType<typeof PROOF.read>;

const COLUMN_SETS = [POLICY, KEY, MANAGEMENT_KEY, WORKSPACE, SECRET, PROOF];

/**
 * Finds the imported secret that `requested.ref` looks up. The newest of a digest holds it in its
 * workspace; of every workspace, the holder that was imported first and is not deleted. A deleted
 * key that returns would change the answer, so these are named too.
 */
const IMPORTED = `
  select holder.ref,
         array_agg(holder.key_id) filter (where holder.is_deleted) over () as deleted_keys
    from (select distinct on (split_part(h.ref, '#', 1)) h.ref, h.key_id, h.created_at,
                 hk.deleted_at is not null or hw.deleted_at is not null as is_deleted
            from secrets h
            left join keys hk on hk.id = h.key_id
            left join workspaces hw on hw.id = hk.workspace_id
           where split_part(h.ref, '@', 1) = split_part(requested.ref, '@', 1)
             and position('@' in h.ref) > 0
             and (split_part(requested.ref, '@', 2) = '*'
                  or split_part(h.ref, '#', 1) = requested.ref)
           order by split_part(h.ref, '#', 1), char_length(h.ref) desc, h.ref desc) as holder
   order by holder.is_deleted, holder.created_at, holder.ref
   limit 1`;

/**
 * A row for each requested ref. The `is_` columns say which of the joined tables have a row. Only
 * wildcards need the scopes that the workspace makes available, which can be long.
 */
export const LOAD_CREDENTIALS: Statement = {
  name: 'load_credentials',
  types: UNREAD,
  text: `
    select requested.ref, found.deleted_keys, (select id::text from incarnation) as incarnation,
           s.ref is not null as is_secret, k.id is not null as is_key,
           m.id is not null as is_management_key, w.id is not null as is_workspace,
           p.ref is not null as is_proof,
           case when k.scopes::text not like '%*%' or w.available_scopes is null then null
                when jsonb_typeof(w.available_scopes) <> 'array' then '{}'
                else (select array_agg(available ->> 'scope')
                        from jsonb_array_elements(w.available_scopes) as available) end
             as available_scopes,
           ${COLUMN_SETS.map(({ select }) => select).join(', ')}
      from unnest($1::text[]) as requested (ref)
      left join lateral (
        select requested.ref, null::text[] as deleted_keys
         where position('@' in requested.ref) = 0
        union all
        select imported.ref, imported.deleted_keys
          from (${IMPORTED}) as imported
         where position('@' in requested.ref) > 0) as found on true
      left join secrets s on s.ref = found.ref
      left join keys k on k.id = s.key_id
      left join management_keys m on m.id = s.key_id
      left join workspaces w on w.id = coalesce(k.workspace_id, m.workspace_id)
      left join secret_proofs p
        on p.ref = s.ref and p.hash_digest = sha256(convert_to(s.hash, 'UTF8'))`,
};

/** As the driver parses it. */
export interface RawCredentialRow extends Record<string, unknown> {
  ref: string;
  /** The deleted keys among those that an imported secret was chosen from. */
  deleted_keys: string[] | null;
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
