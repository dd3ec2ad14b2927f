import { and, eq, lt, sql } from 'drizzle-orm';
import type { Idempotency } from '../call-context.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { idempotencyKeys } from '../db/schema.ts';
import { KeywardError } from '../errors.ts';

/** What a use case returns. With an Idempotency-Key it is stored as JSON, and returned again. */
export interface WriteResult {
  body: object;
  etag?: string;
}

const KEPT_HOURS = 24;

/**
 * Claims the Idempotency-Key for this transaction. Returns the result of an earlier call, if there
 * was one; refuses while another call with the same key is in progress.
 */
export async function claimIdempotencyKey<Result extends WriteResult>(
  tx: Transaction,
  callerId: string,
  idempotency: Idempotency,
): Promise<Result | null> {
  const lock = sql`hashtextextended(${`${callerId} ${idempotency.key}`}, 0)`;
  const { rows } = await tx.execute<{ claimed: boolean }>(
    sql`select pg_try_advisory_xact_lock(${lock}) as claimed`,
  );
  if (!rows[0]?.claimed) throw new KeywardError('IDEMPOTENCY_IN_FLIGHT');
  return findAnswer(tx, callerId, idempotency);
}

/**
 * The stored result of an earlier call. An equal fingerprint means that the same use case stored
 * it, so it has that use case's type; its key string is null.
 */
export async function findAnswer<Result extends WriteResult>(
  db: Orm | Transaction,
  callerId: string,
  { key, fingerprint }: Idempotency,
): Promise<Result | null> {
  const [stored] = await db
    .select({
      fingerprint: idempotencyKeys.fingerprint,
      result: sql<Result>`${idempotencyKeys.answer}`,
    })
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.callerId, callerId), eq(idempotencyKeys.key, key)));
  if (stored && stored.fingerprint !== fingerprint) throw new KeywardError('IDEMPOTENCY_MISMATCH');
  return stored?.result ?? null;
}

/** Stores the result in the transaction of the change. */
export async function storeAnswer(
  tx: Transaction,
  callerId: string,
  { key, fingerprint }: Idempotency,
  result: WriteResult,
  createdAt: Date,
): Promise<void> {
  const answer = { ...result, body: storable(result.body) };
  await tx.insert(idempotencyKeys).values({ callerId, key, fingerprint, answer, createdAt });
}

/**
 * Without the key string or signing secret, and without from where the key was used: an erasure would
 * not find it here.
 */
function storable(body: object): object {
  return {
    ...body,
    ...('key' in body && { key: null }),
    ...('signingSecret' in body && { signingSecret: null }),
    ...('usage' in body && { usage: withoutOrigin(body.usage) }),
    ...('secrets' in body &&
      Array.isArray(body.secrets) && { secrets: body.secrets.map(withoutOrigin) }),
  };
}

function withoutOrigin(use: unknown): unknown {
  const hasOrigin = use instanceof Object && 'lastUsedFrom' in use;
  return hasOrigin ? { ...use, lastUsedFrom: null } : use;
}

export async function deleteOldAnswers(orm: Orm): Promise<void> {
  const oldest = sql`now() - make_interval(hours => ${KEPT_HOURS})`;
  await orm.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, oldest));
}
