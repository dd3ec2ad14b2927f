import { type Caller, groupOf, type RequestMaximums } from '../domain/caller.ts';
import { decide, type KeyPolicy } from '../domain/decide.ts';
import { knownRange } from '../domain/ip.ts';
import type { JsonObject } from '../domain/json.ts';
import { type RateLimit, toRateLimits } from '../domain/limits.ts';
import { type Refill, toRefill } from '../domain/refill.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type {
  CredentialRow,
  KeyColumns,
  ManagementKeyColumns,
  PolicyColumns,
  WorkspaceColumns,
} from './credential-row.ts';
import type { StoredSecret } from './secret-verifier.ts';

/** The rules that this version knows. A key that needs newer ones cannot be judged here. */
const POLICY_VERSION = 2;

/** What a verification needs to know of any secret, whatever it belongs to. */
interface SecretFields extends StoredSecret {
  /** `key_…` or `mk_…`. */
  keyId: string;
  /** When it was issued or imported, in epoch milliseconds. */
  createdAt: number;
  retired: boolean;
  /** When a retiring secret ends; null for the current one. Epoch milliseconds. */
  validUntil: number | null;
  /** The key, or its whole workspace, is deleted. */
  deleted: boolean;
  /** Answered from memory while the database is away, which only KEYWARD_STALE_IF_ERROR_MS allows. */
  stale: boolean;
}

export interface KeyCredential extends SecretFields, KeyPolicy {
  kind: 'key';
  workspaceId: string;
  minPolicyVersion: number;
  name: string;
  ownerId: string | null;
  metadata: JsonObject;
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

/** A secret with the policy of what it belongs to, as verifications use it. */
export type Credential = KeyCredential | ManagementCredential;

/** When a retiring secret ends, which is never later than its key; null for the current one. */
export function retiresAt({
  validUntil,
  expiresAt,
}: Pick<Credential, 'validUntil' | 'expiresAt'>): number | null {
  return validUntil === null ? null : Math.min(validUntil, expiresAt ?? validUntil);
}

/** Whether a secret has ended, by rotation or with its key: to outsiders it never existed. */
export function isInactive(credential: Credential, now: number): boolean {
  const { deleted, retired, validUntil } = credential;
  return deleted || retired || (validUntil !== null && now >= validUntil);
}

/** Whether the credential is valid by itself, wherever it is used from and for whatever. */
export function isActive(credential: Credential, now: number): boolean {
  if (isInactive(credential, now)) return false;
  if (credential.kind === 'management') {
    return !credential.revoked && (credential.expiresAt ?? Infinity) > now;
  }
  requireKnownPolicy(credential);
  return decide({ ...credential, allowedIps: null, resources: null }, {}, now).code === 'VALID';
}

/** During a rolling upgrade, an older instance must not judge a key by rules that it does not know. */
export function requireKnownPolicy({ minPolicyVersion }: { minPolicyVersion: number }): void {
  if (minPolicyVersion <= POLICY_VERSION) return;
  throw new UnavailableError('this key has rules that only a newer version of Keyward knows');
}

export function toCredential(row: CredentialRow): Credential {
  return row.kind === 'key'
    ? { ...toSecretFields(row), ...toKeyFields(row.key), ...toKeyPolicy(row.policy, row) }
    : { ...toSecretFields(row), ...toManagementFields(row.key, row.secret.keyId, row.workspace) };
}

function toSecretFields({ secret, proof, key, workspace }: CredentialRow): SecretFields {
  const keyDeletedAt = 'deletedAt' in key ? key.deletedAt : null;
  return {
    ref: secret.ref,
    keyId: secret.keyId,
    workspaceId: key.workspaceId,
    hash: secret.hash,
    proof,
    matchedDigest: null,
    createdAt: secret.createdAt.getTime(),
    retired: secret.status === 'retired',
    validUntil: secret.validUntil?.getTime() ?? null,
    deleted: keyDeletedAt !== null || (workspace?.deletedAt ?? null) !== null,
    stale: false,
  };
}

function toKeyFields(key: KeyColumns) {
  return {
    kind: 'key' as const,
    workspaceId: key.workspaceId,
    minPolicyVersion: key.minPolicyVersion,
    name: key.name,
    ownerId: key.ownerId,
    metadata: key.metadata ?? {},
    limits: toRateLimits(key.limitNames, key.limitUnits, key.limitWindows),
    creditsLimited: key.creditsLimited,
    refill: toRefill(key),
  };
}

/** What `decide` judges by, from the columns of the key and of its workspace. */
export function toKeyPolicy(
  key: PolicyColumns,
  {
    workspace,
    availableScopes,
  }: {
    workspace: Pick<WorkspaceColumns, 'status' | 'requireResource'>;
    /** Null: any. Only wildcards need them. */
    availableScopes: readonly string[] | null;
  },
): KeyPolicy {
  const { revokedAt, notBefore, expiresAt, allowedIps, ...plain } = key;
  return {
    ...plain,
    revoked: revokedAt !== null,
    notBefore: notBefore?.getTime() ?? null,
    expiresAt: expiresAt?.getTime() ?? null,
    allowedIps: allowedIps?.map(knownRange) ?? null,
    workspaceSuspended: workspace.status === 'suspended',
    requireResource: workspace.requireResource,
    availableScopes,
  };
}

function toManagementFields(
  key: ManagementKeyColumns,
  id: string,
  workspace: Pick<WorkspaceColumns, 'status' | 'maxRequestsPerSecond'> | null,
) {
  const { workspaceId, name } = key;
  const permissions = new Set(key.permissions);
  const expiresAt = key.expiresAt?.getTime() ?? null;
  const suspended = workspace?.status === 'suspended';
  const maxRequestsPerSecond = maximumsOf(key, workspace);
  const group = groupOf(id, workspaceId);
  const bounds = { permissions, workspaceId, group, expiresAt, suspended, maxRequestsPerSecond };
  const caller: Caller = { type: 'management_key', id, ...bounds };
  return {
    kind: 'management' as const,
    workspaceId,
    name,
    caller,
    revoked: key.revokedAt !== null,
    expiresAt,
  };
}

interface Limited {
  maxRequestsPerSecond: number | null;
}

function maximumsOf(key: Limited, bound: Limited | null): RequestMaximums | null {
  const own = key.maxRequestsPerSecond;
  const workspace = bound?.maxRequestsPerSecond ?? null;
  return own === null && workspace === null ? null : { own, workspace };
}
