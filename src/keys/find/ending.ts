import type { SecretRow } from '../key-records.ts';
import type { KeyRow } from '../store.ts';

export type EndedBy = 'rotation' | 'revocation' | 'deletion' | 'expiry';

type Ends = Pick<KeyRow, 'revokedAt' | 'deletedAt' | 'expiresAt'>;

/**
 * What ended a string first; null if nothing has. A deletion revokes at the same time, and comes
 * before that. When a string that is retired ended is not kept: no later than anything else.
 */
export function endedBy(
  { status, validUntil }: Pick<SecretRow, 'status' | 'validUntil'>,
  { revokedAt, deletedAt, expiresAt }: Ends,
  now: number,
): EndedBy | null {
  const isPast = (time: Date | null) => time !== null && time.getTime() <= now;
  const retiredAt = isPast(validUntil) ? validUntil : null;
  const ends: [EndedBy, Date | null][] = [
    ['rotation', status === 'retired' ? new Date(0) : retiredAt],
    ['deletion', deletedAt],
    ['revocation', revokedAt],
    ['expiry', isPast(expiresAt) ? expiresAt : null],
  ];
  const known = ends.flatMap(([by, at]) => (at ? [{ by, at: at.getTime() }] : []));
  return known.toSorted((a, b) => a.at - b.at)[0]?.by ?? null;
}
