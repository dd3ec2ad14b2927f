import { type SQL, sql } from 'drizzle-orm';
import { among, at } from '../../db/key-predicates.ts';
import type { AlertType } from '../../domain/alert-types.ts';
import { balanceAt, type RefillColumns, toRefill } from '../../domain/refill.ts';
import type { Condition, FindInput, Found } from '../condition.ts';

const EVERY_MS = 300_000;
/** Keys in one statement: some 10 ms. */
const PAGE = 2000;

interface Row extends Record<string, unknown>, RefillColumns {
  /** Where the page ends, in each row; null: it is empty. */
  last: string | null;
  size: number;
  /** Null: the page has no key with as few credits. */
  id: string | null;
  refillAmount: number | null;
  credits: string;
  refilledMs: string;
  lastMs: string;
  used: boolean;
  denied: boolean;
}

/** Those with few credits among the next keys that have credits. */
function creditsQuery(input: FindInput, maxCredits: number, after: string): SQL {
  const { workspace, now, targets } = input;
  return sql`with page as materialized (
      select k.id, k.enabled and (k.expires_at is null or k.expires_at > ${at(now)}) as in_force,
             k.refill_interval, k.refill_amount, k.refill_day
        from keys k
       where k.workspace_id = ${workspace.id} and k.deleted_at is null and k.revoked_at is null
         and k.credits_limited and k.id > ${after} ${among(sql`k.id`, targets)}
       order by k.id limit ${PAGE})
    select page_end.last, page_end.size, low.*
      from (select max(id) as last, count(*)::integer as size from page) page_end
      left join (
        select p.id, p.refill_interval as "refillInterval", p.refill_amount::float8 as "refillAmount",
               p.refill_day as "refillDay", c.credits, c.refilled_ms as "refilledMs",
               c.last_ms as "lastMs", u.last_used_at is not null as used,
               u.last_denied_at is not null as denied
          from page p join key_consumption c on c.key_id = p.id and c.credits <= ${maxCredits}
          join key_usage u on u.key_id = p.id
         where p.in_force) low on true
     order by low.id`;
}

async function findByBalance(
  input: FindInput,
  maxCredits: number,
  toFound: (row: Row, balance: number) => Found | null,
): Promise<Found[]> {
  const found: Found[] = [];
  for (let after: string | null = ''; after !== null && found.length < input.limit; ) {
    const rows: Row[] = await input.read<Row>(creditsQuery(input, maxCredits, after));
    for (const row of rows) {
      const one = row.id === null ? null : toFound(row, balanceOf(row, input.now));
      if (one) found.push(one);
    }
    after = (rows[0]?.size ?? 0) < PAGE ? null : (rows[0]?.last ?? null);
  }
  return found.slice(0, input.limit);
}

/** With the refills that came due since. */
function balanceOf(row: Row, now: Date): number {
  const stored = { credits: Number(row.credits), refilledMs: Number(row.refilledMs) };
  return balanceAt(toRefill(row), stored, Math.max(now.getTime(), Number(row.lastMs)));
}

/** From how many credits on the next ones are few: what is refilled may run low by its last tenth. */
function lowFrom({ refillInterval, refillAmount }: RefillColumns, creditsLow: number): number {
  if (refillInterval === null) return creditsLow;
  return Math.min(creditsLow, Math.floor((refillAmount ?? 0) / 10));
}

/** Of keys that are in use. What is exhausted is another alert. */
function findLow(input: FindInput): Promise<Found[]> | Found[] {
  const { creditsLow } = input.workspace.thresholds;
  if (creditsLow === null) return [];
  return findByBalance(input, creditsLow, (row, remaining) => {
    const threshold = lowFrom(row, creditsLow);
    if (!row.used || remaining === 0 || remaining > threshold) return null;
    return foundOf(row, 'low', { remaining, threshold });
  });
}

/** Of keys that someone uses, or tries to. */
function findExhausted(input: FindInput): Promise<Found[]> {
  return findByBalance(input, 0, (row, remaining) => {
    if (!(row.used || row.denied) || remaining > 0) return null;
    return foundOf(row, 'exhausted', { remaining });
  });
}

function foundOf({ id }: Row, cause: string, details: Found['details']): Found {
  return { targetType: 'key', targetId: id ?? '', cause, details };
}

function creditsCondition(
  type: AlertType,
  find: (input: FindInput) => Promise<Found[]> | Found[],
): Condition {
  return {
    type,
    everyMs: EVERY_MS,
    recurs: true,
    concerns: () => sql`exists (
      select from keys k where k.workspace_id = w.id and k.deleted_at is null
         and k.revoked_at is null and k.credits_limited)`,
    find: async (input) => find(input),
  };
}

export const CREDITS_CONDITIONS: readonly Condition[] = [
  creditsCondition('credits_low', findLow),
  creditsCondition('credits_exhausted', findExhausted),
];
