import type { CallContext } from '../../call-context.ts';
import type { IssuedSecret, SecretIssuer } from '../../credentials/issuer.ts';
import { rotateSecret } from '../../credentials/rotation.ts';
import { endRetiringSecret } from '../../credentials/store.ts';
import type { Orm } from '../../db/database.ts';
import { KeywardError } from '../../errors.ts';
import { etagOf, requireMatch, type Versioned } from '../../http/etag.ts';
import type { CallResult } from '../../http/reply.ts';
import type { Clock } from '../../lib/clock.ts';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.ts';
import { auditKey } from '../audit.ts';
import { findNamedKey, type KeyName, lockNamedKey, readBack } from '../key-change.ts';
import type { SecretRow } from '../key-records.ts';
import { requireApiAccess } from '../policy-checks.ts';
import type { IssuedKey } from '../schemas/key.ts';
import { isExpired, type KeyRow, updateKey } from '../store.ts';
import { readPolicies, type WorkspacePolicies } from '../workspace-policies.ts';
import type { RotateKey } from './schemas.ts';

export interface RotationDependencies {
  orm: Orm;
  unitOfWork: UnitOfWork;
  issuer: SecretIssuer;
  clock: Clock;
}

/** Gives a key another string. */
export class RotationService {
  readonly #deps: RotationDependencies;

  constructor(deps: RotationDependencies) {
    this.#deps = deps;
  }

  /** The same key with a new string; the old one is valid until the grace ends. */
  rotate(call: CallContext, name: KeyName, options: RotateKey): Promise<Versioned<IssuedKey>> {
    const prepare = () => this.#issue(call, name, options);
    return this.#deps.unitOfWork.runPrepared(call, prepare, async (write, issued) => {
      const { tx, at } = write;
      const key = await lockNamedKey(write, call, name);
      const { id: keyId, workspaceId } = key;
      requireRotatable(key, await readPolicies(tx, workspaceId), at);
      await rotateSecret(tx, { keyId, workspaceId }, issued, options, at);
      await updateKey(tx, keyId, { updatedAt: at });
      const { graceSeconds } = options;
      auditKey(write, 'rotated', key, { after: { graceSeconds, start: issued.start } });
      const { body, etag } = await readBack(write, key);
      return { body: { ...body, key: issued.key }, etag };
    });
  }

  /** What can be refused is refused before the costly hash, and checked again in the transaction. */
  async #issue(call: CallContext, name: KeyName, { supersede }: RotateKey): Promise<IssuedSecret> {
    const { orm, clock, issuer } = this.#deps;
    const { key, secrets } = await findNamedKey(orm, call, name);
    requireMatch(call, etagOf(key));
    requireRotatable(key, await readPolicies(orm, key.workspaceId), clock.date());
    if (!supersede && secrets.some(isRetiring(clock.date()))) {
      throw new KeywardError('ROTATION_UNDER_WAY');
    }
    return issuer.issue(key.prefix, { group: key.workspaceId, urgent: true });
  }

  /** Ends the retiring string at once. Nothing to end is not an error. */
  endGrace(call: CallContext, name: KeyName): Promise<CallResult<object>> {
    return this.#deps.unitOfWork.run(call, async (write) => {
      const key = await lockNamedKey(write, call, name);
      const ended = await endRetiringSecret(write.tx, key.id);
      if (ended.length > 0) {
        await updateKey(write.tx, key.id, { updatedAt: write.at });
        auditKey(write, 'grace_ended', key, { after: { endedSecretIds: ended } });
      }
      return { body: {} };
    });
  }
}

function requireRotatable(key: KeyRow, policies: WorkspacePolicies, at: Date): void {
  if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
  if (isExpired(key, at)) throw new KeywardError('KEY_EXPIRED');
  requireApiAccess(policies);
}

function isRetiring(at: Date) {
  return ({ status, validUntil }: SecretRow) =>
    status === 'retiring' && validUntil !== null && validUntil > at;
}
