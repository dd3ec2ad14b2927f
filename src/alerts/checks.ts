import { and, eq, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { alertChecks } from '../db/schema.ts';
import type { Condition } from './condition.ts';

/** After as long without a sign of the instance that is at work, another one goes on. */
const HOLD_MS = 120_000;

/** The check for alerts of one type, which this instance has for itself as long as it keeps it. */
export class Check {
  readonly type: string;
  /** The last workspace that was looked at. */
  place: string;
  #heldUntil: Date;

  constructor(type: string, place: string, heldUntil: Date) {
    this.type = type;
    this.place = place;
    this.#heldUntil = heldUntil;
  }

  /** In a transaction that writes: until it ends, no other instance takes the check. */
  async isMine(tx: Transaction): Promise<boolean> {
    const found = await tx
      .select({ type: alertChecks.type })
      .from(alertChecks)
      .where(this.#condition)
      .for('update');
    return found.length === 1;
  }

  /** For some more time. False if another instance has it: this one was too slow. */
  async keep(orm: Orm, now: Date): Promise<boolean> {
    const heldUntil = new Date(Math.max(now.getTime() + HOLD_MS, this.#heldUntil.getTime()));
    const kept = await this.#update(orm, { heldUntil, place: this.place });
    if (kept) this.#heldUntil = heldUntil;
    return kept;
  }

  /** Where the next check goes on; null: it is complete. */
  release(orm: Orm, now: Date, place: string | null): Promise<boolean> {
    return this.#update(orm, { heldUntil: now, place });
  }

  async #update(orm: Orm, set: { heldUntil: Date; place: string | null }): Promise<boolean> {
    const { type } = alertChecks;
    const updated = await orm
      .update(alertChecks)
      .set(set)
      .where(this.#condition)
      .returning({ type });
    return updated.length === 1;
  }

  get #condition() {
    return and(eq(alertChecks.type, this.type), eq(alertChecks.heldUntil, this.#heldUntil));
  }
}

/** Takes the check for a type if it is due, or was not finished. Null: not now, or another instance has it. */
export async function takeCheck(
  orm: Orm,
  { type, everyMs }: Pick<Condition, 'type' | 'everyMs'>,
  now: Date,
): Promise<Check | null> {
  const heldUntil = new Date(now.getTime() + HOLD_MS);
  const due = new Date(now.getTime() - everyMs);
  const { begunAt, place } = alertChecks;
  const [taken] = await orm
    .insert(alertChecks)
    .values({ type, begunAt: now, heldUntil, place: '' })
    .onConflictDoUpdate({
      target: alertChecks.type,
      set: {
        begunAt: sql`case when ${place} is null then excluded.begun_at else ${begunAt} end`,
        heldUntil: sql`excluded.held_until`,
        place: sql`coalesce(${place}, '')`,
      },
      setWhere: sql`${alertChecks.heldUntil} <= ${now.toISOString()}::timestamptz
                    and (${place} is not null or ${begunAt} <= ${due.toISOString()}::timestamptz)`,
    })
    .returning({ place });
  return taken ? new Check(type, taken.place ?? '', heldUntil) : null;
}
