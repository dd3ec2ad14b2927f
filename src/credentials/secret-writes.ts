import type { Database } from '../db/database.ts';
import { FairQueue } from '../lib/fair-queue.ts';
import type { Log, LogEvent } from '../lib/log-events.ts';
import { OverloadError } from '../lib/overload-error.ts';
import type { SecretIssuer, StoredProof } from './issuer.ts';
import type { StoredSecret } from './secret-verifier.ts';
import { storeProof, storeRehash } from './store.ts';

/** Connections that writes of proofs and of rehashed secrets take, and how many of those may wait. */
const BOUNDS = { places: 2, maxWaitingEach: 64, maxWaiting: 512, reason: 'database' } as const;

/**
 * Writes in the background, few at once: fences share these connections. One that fails, or finds too
 * many waiting, is repeated at the next use of the key.
 */
export function createSecretWrites({ dataOrm }: Database, issuer: SecretIssuer, log: Log) {
  const queue = new FairQueue(BOUNDS);
  const inTurn = (workspaceId: string | null, write: () => Promise<unknown>) =>
    queue.run({ group: workspaceId ?? '' }, write);
  const notDone = (event: LogEvent, message: string) => (err: unknown) =>
    log[err instanceof OverloadError ? 'debug' : 'warn']({ event, err }, message);
  return {
    storeProof: (secret: StoredSecret, proof: StoredProof) => {
      inTurn(secret.workspaceId, () => storeProof(dataOrm, secret, proof)).catch(
        notDone('proof.not_stored', 'a proof was not stored'),
      );
    },
    rehash: async (secret: StoredSecret, presented: string) => {
      await issuer
        .hashForStorage(secret.ref, presented, 'rehashing', { group: '' })
        .then((hashed) => inTurn(secret.workspaceId, () => storeRehash(dataOrm, secret, hashed)))
        .catch(notDone('rehash.not_stored', 'an imported key was not rehashed yet'));
    },
  };
}
