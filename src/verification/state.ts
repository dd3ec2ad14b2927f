import type { KeyPolicy } from '../domain/decide.ts';
import { type IpRange, parseIpRange } from '../domain/ip.ts';
import type { JsonObject } from '../domain/json.ts';
import type { SecretEvidence } from '../secrets/prover.ts';

/** The rules that this version of Keyward knows. A key that needs newer ones is not judged here. */
export const POLICY_VERSION = 1;

/** Everything that a verification needs to know of a secret and its key. */
export interface SecretState extends SecretEvidence, KeyPolicy {
  keyId: string;
  workspaceId: string;
  retired: boolean;
  deleted: boolean;
  minPolicyVersion: number;
  name: string;
  ownerId: string | null;
  metadata: JsonObject;
}

/** A row of the load statement: one for each wanted ref, all null where there is no such secret. */
export interface StateRow {
  ref: string;
  incarnation: string | null;
  key_id: string | null;
  hash: string;
  secret_status: 'current' | 'retiring' | 'retired';
  pepper_id: string | null;
  proof: Buffer | null;
  workspace_id: string;
  workspace_status: 'active' | 'suspended';
  name: string;
  owner_id: string | null;
  scopes: string[];
  resources: string[] | null;
  allowed_ips: string[] | null;
  metadata: JsonObject;
  enabled: boolean;
  not_before: Date | null;
  expires_at: Date | null;
  revoked: boolean;
  deleted: boolean;
  min_policy_version: number;
}

export function stateOf(row: StateRow): SecretState | null {
  if (row.key_id === null) return null;
  return {
    ref: row.ref,
    keyId: row.key_id,
    workspaceId: row.workspace_id,
    hash: row.hash,
    proof: row.proof && row.pepper_id ? { proof: row.proof, pepperId: row.pepper_id } : null,
    retired: row.secret_status === 'retired',
    deleted: row.deleted,
    minPolicyVersion: row.min_policy_version,
    name: row.name,
    ownerId: row.owner_id,
    metadata: row.metadata,
    revoked: row.revoked,
    workspaceSuspended: row.workspace_status === 'suspended',
    enabled: row.enabled,
    notBefore: row.not_before?.getTime() ?? null,
    expiresAt: row.expires_at?.getTime() ?? null,
    allowedIps: row.allowed_ips?.map(knownRange) ?? null,
    scopes: row.scopes,
    resources: row.resources,
  };
}

/** Ranges were checked when they were stored; one that is not understood must not be ignored. */
function knownRange(text: string): IpRange {
  const range = parseIpRange(text);
  if (!range) throw new Error('a stored IP range is not valid');
  return range;
}
