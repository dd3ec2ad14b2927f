import { askerOf, type CallContext } from '../../call-context.ts';
import type { CredentialResolver } from '../../credentials/credential-resolver.ts';
import type { Orm } from '../../db/database.ts';
import { parseLastUsedFrom } from '../../domain/client-context.ts';
import { isImportedRef } from '../../domain/imported-key.ts';
import { endWithin, toIso } from '../../domain/time.ts';
import type { Clock } from '../../lib/clock.ts';
import { presentKey } from '../presenter.ts';
import { endedBy } from './ending.ts';
import type { FindKey, FoundKey } from './schemas.ts';
import { type FoundSecret, findSecret } from './store.ts';

export interface FindDependencies {
  orm: Orm;
  resolver: CredentialResolver;
  clock: Clock;
}

const NOT_FOUND: FoundKey = { found: false, key: null, deletedAt: null, secret: null };

/** Finds the key of a string that turned up in a support case or a leak. */
export class FindService {
  readonly #deps: FindDependencies;

  constructor(deps: FindDependencies) {
    this.#deps = deps;
  }

  /** The string is proven as in a verification, without delaying any; nothing of it is counted. */
  async find({ caller }: CallContext, { key: presented, workspaceId }: FindKey): Promise<FoundKey> {
    const { orm, resolver, clock } = this.#deps;
    const asking = Promise.resolve(askerOf(caller, workspaceId));
    const credential = await resolver.resolveKey(resolver.present(presented), asking, 'low');
    if (!credential) return NOT_FOUND;
    const isBound = caller.workspaceId !== null;
    const found = await findSecret(orm, credential.ref, isBound);
    return found ? presentFound(found, credential.ref, clock.now()) : NOT_FOUND;
  }
}

function presentFound({ secret, record }: FoundSecret, ref: string, now: number): FoundKey {
  const { id, start, status } = secret;
  const end = endedBy(secret, record.key, now);
  return {
    found: true,
    key: presentKey(record, now),
    deletedAt: toIso(record.key.deletedAt),
    secret: {
      ...{ id, start, imported: isImportedRef(ref), status: end ? 'ended' : status, endedBy: end },
      createdAt: toIso(secret.createdAt),
      lastUsedAt: toIso(secret.lastUsedAt),
      lastUsedFrom: parseLastUsedFrom(secret.lastUsedFrom),
      validUntil: toIso(endWithin(secret.validUntil, record.key.expiresAt)),
    },
  };
}
