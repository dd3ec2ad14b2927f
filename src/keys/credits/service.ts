import type { CallContext } from '../../call-context.ts';
import { MAX_CREDITS } from '../../domain/refill.ts';
import { invalidField, KeywardError } from '../../errors.ts';
import type { Versioned } from '../../http/etag.ts';
import { changeBalance } from '../../quotas/consumption-store.ts';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.ts';
import { auditKey } from '../audit.ts';
import { changeKey, type KeyName } from '../key-change.ts';
import type { Key } from '../schemas/key.ts';
import { updateKey } from '../store.ts';
import type { ChangeCredits } from './schemas.ts';

/** Changes the balance of a key. */
export class CreditsService {
  readonly #unitOfWork: UnitOfWork;

  constructor(unitOfWork: UnitOfWork) {
    this.#unitOfWork = unitOfWork;
  }

  /** In force everywhere once answered: the change of the key invalidates cached denials. */
  change(call: CallContext, name: KeyName, change: ChangeCredits): Promise<Versioned<Key>> {
    return changeKey(this.#unitOfWork, call, name, async (write, key) => {
      if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
      if (!key.creditsLimited) throw new KeywardError('CREDITS_UNLIMITED');
      const { before, after } = await changeBalance(write, key, (balance) =>
        changedBalance(balance, change),
      );
      auditKey(write, 'credits_changed', key, {
        before: { credits: before },
        after: { credits: after },
      });
      await updateKey(write.tx, key.id, { updatedAt: write.at });
    });
  }
}

function changedBalance(balance: number, { operation, amount }: ChangeCredits): number {
  const changed = {
    add: balance + amount,
    subtract: Math.max(0, balance - amount),
    set: amount,
  }[operation];
  if (changed <= MAX_CREDITS) return changed;
  throw invalidField('/body/amount', `makes the balance larger than ${MAX_CREDITS}`);
}
