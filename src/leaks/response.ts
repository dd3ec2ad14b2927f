import { eq } from 'drizzle-orm';
import { openAlert } from '../alerts/store.ts';
import type { Credential } from '../credentials/credential.ts';
import type { IssuedSecret, SecretIssuer } from '../credentials/issuer.ts';
import { rotateSecret } from '../credentials/rotation.ts';
import { endRetiringSecret, setGraceEnd } from '../credentials/store.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { secrets } from '../db/schema.ts';
import { type Actor, DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { toIso } from '../domain/time.ts';
import { KeywardError } from '../errors.ts';
import { auditKey } from '../keys/audit.ts';
import { findKey } from '../keys/key-records.ts';
import { revokeKeys } from '../keys/revocation.ts';
import { type KeyRow, lockKey, updateKey } from '../keys/store.ts';
import { readPolicies, type WorkspacePolicies } from '../keys/workspace-policies.ts';
import { revokeManagementKey } from '../management/revocation.ts';
import { lockManagementKey } from '../management/store.ts';
import { systemCall } from '../unit-of-work/system-call.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import type { FoundAt } from './found-at.ts';
import type { Entrance } from './report.ts';

const ACTOR: Actor = { type: 'system', id: 'leak-reports', onBehalfOf: null };
const REASON = 'leaked';
/** By the policy `rotate`. */
const GRACE_SECONDS = 3600;

/** What a report did to its string. */
type Response = 'revoked' | 'rotated' | 'grace_ended' | 'grace_shortened' | 'none';

type Policy = WorkspacePolicies['leakResponse'];

interface Rule {
  policy: Policy;
  /** The string that takes the place of one that is rotated. */
  issued: IssuedSecret | null;
}

export interface LeakedFrom extends FoundAt {
  reportedBy: Entrance;
}

interface LeakedSecret {
  ref: string;
  id: string;
  status: 'current' | 'retiring' | 'retired';
  validUntil: Date | null;
}

export interface LeakResponseDependencies {
  orm: Orm;
  unitOfWork: UnitOfWork;
  issuer: SecretIssuer;
}

/**
 * Ends the string of a credential that has leaked, and alerts of it, in one transaction. A string that
 * has ended is alerted of alone; a second report of one finds the alert, and does nothing. The request id
 * is not that of the report, which is a text of a stranger's choice.
 */
export class LeakResponse {
  readonly #deps: LeakResponseDependencies;

  constructor(deps: LeakResponseDependencies) {
    this.#deps = deps;
  }

  respond(credential: Credential, from: LeakedFrom): Promise<void> {
    return credential.kind === 'key'
      ? this.#respondForKey(credential, from)
      : this.#respondForManagementKey(credential, from);
  }

  async #respondForKey({ keyId, ref, retired, validUntil }: Credential, from: LeakedFrom) {
    const { orm, issuer } = this.#deps;
    const record = await findKey(orm, null, keyId);
    if (!record) return;
    const { prefix, workspaceId, revokedAt } = record.key;
    const { leakResponse } = await readPolicies(orm, workspaceId);
    const isCurrent = !revokedAt && !retired && validUntil === null;
    const issued =
      leakResponse === 'rotate' && isCurrent
        ? await issuer.issue(prefix, { group: workspaceId })
        : null;
    const end = (policy: Policy) => this.#endOfKey(keyId, ref, from, { policy, issued });
    await end(leakResponse).catch((error: unknown) => {
      // A log without room takes what ends something, and nothing else.
      if (!(error instanceof KeywardError) || error.code !== 'AUDIT_LIMIT_REACHED') throw error;
      return end('revoke');
    });
  }

  async #endOfKey(id: string, ref: string, from: LeakedFrom, rule: Rule): Promise<void> {
    await this.#deps.unitOfWork.run(systemCall(ACTOR), async (write) => {
      const key = await lockKey(write.tx, null, id);
      const secret = await findLeaked(write.tx, ref);
      if (!key || !secret) return { body: {} };
      const response = await endString(write, key, secret, rule);
      const target = { targetType: 'key', targetId: id } as const;
      await alertOf(write, { ...target, workspaceId: key.workspaceId }, secret, { response, from });
      return { body: {} };
    });
  }

  /** A thief may have made others with it: they are revoked too. */
  async #respondForManagementKey(
    { keyId, ref, workspaceId, deleted }: Credential,
    from: LeakedFrom,
  ): Promise<void> {
    if (deleted) return;
    const scope = workspaceId === null ? null : { workspaceId, currentOnly: true };
    await this.#deps.unitOfWork.run(systemCall(ACTOR), async (write) => {
      const key = await lockManagementKey(write.tx, keyId, scope);
      const secret = await findLeaked(write.tx, ref);
      if (!key || !secret) return { body: {} };
      const response = key.revokedAt || hasEnded(secret, write.at) ? 'none' : 'revoked';
      if (response === 'revoked') {
        const revocation = { by: ACTOR, reason: REASON, includeCreated: true };
        await revokeManagementKey(write, key, revocation);
      }
      const target = { targetType: 'management_key', targetId: keyId } as const;
      const own = { ...target, workspaceId: workspaceId ?? DEFAULT_WORKSPACE };
      await alertOf(write, own, secret, { response, from });
      return { body: {} };
    });
  }
}

async function findLeaked(tx: Transaction, ref: string): Promise<LeakedSecret | null> {
  const { id, status, validUntil } = secrets;
  const [secret] = await tx
    .select({ ref: secrets.ref, id, status, validUntil })
    .from(secrets)
    .where(eq(secrets.ref, ref));
  return secret ?? null;
}

function hasEnded({ status, validUntil }: LeakedSecret, at: Date): boolean {
  return status === 'retired' || (validUntil !== null && validUntil <= at);
}

/** Of a locked key, by the policy of its workspace. */
async function endString(
  write: WriteContext,
  key: KeyRow,
  secret: LeakedSecret,
  { policy, issued }: Rule,
): Promise<Response> {
  if (key.revokedAt || hasEnded(secret, write.at)) return 'none';
  const hasGrace = policy === 'rotate';
  if (secret.status === 'retiring')
    return hasGrace ? shortenGrace(write, key, secret) : endGrace(write, key);
  if (hasGrace && issued) return rotate(write, key, issued);
  await revokeKeys(write, [key], { by: ACTOR, reason: REASON });
  return 'revoked';
}

/** The new string is shown to nobody: another rotation shows one. */
async function rotate(write: WriteContext, key: KeyRow, issued: IssuedSecret): Promise<Response> {
  const { id: keyId, workspaceId } = key;
  const options = { graceSeconds: GRACE_SECONDS, supersede: true };
  await rotateSecret(write.tx, { keyId, workspaceId }, issued, options, write.at);
  await updateKey(write.tx, keyId, { updatedAt: write.at });
  const after = { graceSeconds: GRACE_SECONDS, start: issued.start, reason: REASON };
  auditKey(write, 'rotated', key, { after });
  return 'rotated';
}

/** The string was replaced before it was reported, so the key goes on with its current one. */
async function endGrace(write: WriteContext, key: KeyRow): Promise<Response> {
  const ended = await endRetiringSecret(write.tx, key.id);
  await updateKey(write.tx, key.id, { updatedAt: write.at });
  auditKey(write, 'grace_ended', key, { after: { endedSecretIds: ended, reason: REASON } });
  return 'grace_ended';
}

async function shortenGrace(
  write: WriteContext,
  key: KeyRow,
  { ref, validUntil }: LeakedSecret,
): Promise<Response> {
  const end = new Date(write.at.getTime() + GRACE_SECONDS * 1000);
  if (validUntil !== null && validUntil <= end) return 'none';
  await setGraceEnd(write.tx, ref, end);
  await updateKey(write.tx, key.id, { updatedAt: write.at });
  const after = { retiringUntil: toIso(end), reason: REASON };
  auditKey(write, 'updated', key, { before: { retiringUntil: toIso(validUntil) }, after });
  return 'grace_shortened';
}

function alertOf(
  write: WriteContext,
  target: { targetType: 'key' | 'management_key'; targetId: string; workspaceId: string },
  { id: secretId }: LeakedSecret,
  { response, from }: { response: Response; from: LeakedFrom },
): Promise<boolean> {
  const details = { secretId, response, ...from };
  return openAlert(write, { type: 'key_leaked', ...target, cause: secretId, details });
}
