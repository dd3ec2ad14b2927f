import type { Caller, Permission } from '../domain/caller.ts';
import type { KeyPolicy } from '../domain/decide.ts';
import { knownRange } from '../domain/ip.ts';
import type { JsonObject } from '../domain/json.ts';
import { type RateLimit, toRateLimits } from '../domain/limits.ts';
import type { Refill } from '../domain/refill.ts';
import { publicFieldsJson } from '../verification/answer.ts';
import type { StoredSecret } from './secret-verifier.ts';

/** The rules that this version of Keyward knows. A key that needs newer ones is not judged here. */
export const POLICY_VERSION = 2;

/** What a verification needs to know of any secret, whatever it belongs to. */
interface SecretFields extends StoredSecret {
  /** `key_…` or `mk_…`. */
  keyId: string;
  retired: boolean;
  /** When a retiring secret ends; null for the current one. Epoch milliseconds. */
  validUntil: number | null;
  /** The key, or its whole workspace, is gone. */
  deleted: boolean;
  /** Nothing vouches for it: the database is away, and the operator prefers that to no answer. */
  stale: boolean;
}

export interface KeyCredential extends SecretFields, KeyPolicy {
  kind: 'key';
  workspaceId: string;
  minPolicyVersion: number;
  name: string;
  ownerId: string | null;
  metadata: JsonObject;
  /** What every answer says of the key, as JSON. */
  shown: string;
  limits: readonly RateLimit[];
  creditsLimited: boolean;
  refill: Refill | null;
}

export interface ManagementCredential extends SecretFields {
  kind: 'management';
  /** Null: every workspace. */
  workspaceId: string | null;
  name: string;
  /** Whom the key stands for when it authenticates. */
  caller: Caller;
  revoked: boolean;
  expiresAt: number | null;
}

export type Credential = KeyCredential | ManagementCredential;

/** Whether a secret has ended, by rotation or with its key: to outsiders it never was. */
export function isInactive(state: Credential, now: number): boolean {
  return state.deleted || state.retired || (state.validUntil !== null && now >= state.validUntil);
}

/** A row of the load statement: one for each wanted ref, `kind` null where there is no such secret. */
export type CredentialRow = {
  ref: string;
  incarnation: string | null;
  has_secret: boolean;
  key_id: string;
  hash: string;
  secret_status: 'current' | 'retiring' | 'retired';
  valid_until: Date | null;
  pepper_id: string | null;
  proof: Buffer | null;
  name: string;
  revoked: boolean;
  deleted: boolean;
  expires_at: Date | null;
} & (
  | { kind: null }
  | { kind: 'management'; workspace_id: string | null; permissions: Permission[] }
  | {
      kind: 'key';
      workspace_id: string;
      workspace_status: 'active' | 'suspended';
      require_resource: boolean;
      owner_id: string | null;
      scopes: string[];
      resources: string[] | null;
      allowed_ips: string[] | null;
      metadata: JsonObject;
      enabled: boolean;
      not_before: Date | null;
      min_policy_version: number;
      limit_names: string[];
      limit_units: string[];
      limit_windows: number[];
      credits_limited: boolean;
      refill_interval: 'daily' | 'monthly' | null;
      refill_amount: string | null;
      refill_day: number | null;
    }
);

export function toCredential(row: CredentialRow): Credential | null {
  if (row.kind === null) return null;
  const facts = {
    ref: row.ref,
    keyId: row.key_id,
    hash: row.hash,
    proof: row.proof && row.pepper_id ? { proof: row.proof, pepperId: row.pepper_id } : null,
    retired: row.secret_status === 'retired',
    validUntil: row.valid_until?.getTime() ?? null,
    deleted: row.deleted,
    stale: false,
    matchedDigest: null,
    name: row.name,
    revoked: row.revoked,
    expiresAt: row.expires_at?.getTime() ?? null,
  };
  if (row.kind === 'management') {
    const { key_id: id, workspace_id: workspaceId } = row;
    const permissions = new Set(row.permissions);
    const caller: Caller = { type: 'management_key', id, permissions, workspaceId };
    return { ...facts, kind: 'management', workspaceId, caller };
  }
  const answered = {
    workspaceId: row.workspace_id,
    ownerId: row.owner_id,
    metadata: row.metadata,
    scopes: row.scopes,
    resources: row.resources,
  };
  return {
    ...facts,
    ...answered,
    kind: 'key',
    shown: publicFieldsJson({ ...facts, ...answered }),
    minPolicyVersion: row.min_policy_version,
    workspaceSuspended: row.workspace_status === 'suspended',
    requireResource: row.require_resource,
    enabled: row.enabled,
    notBefore: row.not_before?.getTime() ?? null,
    allowedIps: row.allowed_ips?.map(knownRange) ?? null,
    limits: toRateLimits(row.limit_names, row.limit_units.map(Number), row.limit_windows),
    creditsLimited: row.credits_limited,
    refill: row.refill_interval && {
      interval: row.refill_interval,
      amount: Number(row.refill_amount),
      dayOfMonth: row.refill_day,
    },
  };
}
