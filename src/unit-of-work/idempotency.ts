import { and, eq, lt, sql } from 'drizzle-orm';
import type { Idempotency } from '../call-context.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { idempotencyKeys } from '../db/schema.ts';
import type { Json } from '../domain/json.ts';
import { KeywardError } from '../errors.ts';

/** The answer of a call that is kept for its repetitions; a key string is null in it. */
export interface StoredAnswer {
  status: number;
  etag: string | null;
  body: Json;
}

/** Ends a repeated call (`Idempotency-Key`): the stored answer is sent instead of acting again. */
export class ReplayedAnswer extends Error {
  override name = 'ReplayedAnswer';
  readonly answer: StoredAnswer;

  constructor(answer: StoredAnswer) {
    super('replayed');
    this.answer = answer;
  }
}

/** What a use case answers: stored with the change, so that a repetition can be answered. */
export interface WriteResult {
  body: object;
  etag?: string;
}

const KEPT_HOURS = 24;

/** Lets the first call through; a repetition gets its answer, an abuse or a race an error. */
export async function claimIdempotencyKey(
  tx: Transaction,
  callerId: string,
  idempotency: Idempotency,
): Promise<void> {
  const lock = sql`hashtextextended(${`${callerId} ${idempotency.key}`}, 0)`;
  const { rows } = await tx.execute<{ mine: boolean }>(
    sql`select pg_try_advisory_xact_lock(${lock}) as mine`,
  );
  if (!rows[0]?.mine) throw new KeywardError('IDEMPOTENCY_IN_FLIGHT');
  await replayEarlier(tx, callerId, idempotency);
}

/** Answers what has been answered before. Says nothing of a call that is under way. */
export async function replayEarlier(
  db: Orm | Transaction,
  callerId: string,
  { key, fingerprint }: Idempotency,
): Promise<void> {
  const [earlier] = await db
    .select()
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.callerId, callerId), eq(idempotencyKeys.key, key)));
  if (!earlier) return;
  if (earlier.fingerprint !== fingerprint) throw new KeywardError('IDEMPOTENCY_MISMATCH');
  throw new ReplayedAnswer(earlier.answer);
}

/** Stores the answer in the transaction of the change, without the key string. */
export async function storeAnswer(
  tx: Transaction,
  callerId: string,
  { key, fingerprint, status }: Idempotency,
  outcome: WriteResult,
  createdAt: Date,
): Promise<void> {
  const body = 'key' in outcome.body ? { ...outcome.body, key: null } : outcome.body;
  const answer = { status, etag: outcome.etag ?? null, body: JSON.parse(JSON.stringify(body)) };
  await tx.insert(idempotencyKeys).values({ callerId, key, fingerprint, answer, createdAt });
}

export async function deleteOldAnswers(orm: Orm): Promise<void> {
  const oldest = sql`now() - make_interval(hours => ${KEPT_HOURS})`;
  await orm.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, oldest));
}
