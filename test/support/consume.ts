import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { ModelLimit, ModelRefill } from './limits-model.ts';
import { insertKey } from './sql-keys.ts';

export interface LimitedKey {
  limits: readonly ModelLimit[];
  credits: number | null;
  refill: ModelRefill | null;
  /** When the balance was set. */
  createdAt: number;
}

/** Inserts a key with limits and credits by SQL. */
export async function insertLimitedKey(client: pg.Client, id: string, key: LimitedKey) {
  await insertKey(client, { id, ref: id });
  await setLimits(client, id, key.limits);
  const { credits, refill, createdAt } = key;
  await client.query(
    `update keys set credits_limited = $2, refill_interval = $3, refill_amount = $4, refill_day = $5
      where id = $1`,
    [id, credits !== null, refill?.interval, refill?.amount, refill?.dayOfMonth],
  );
  await client.query(
    'insert into key_consumption (key_id, credits, refilled_ms) values ($1, $2, $3)',
    [id, credits, createdAt],
  );
}

export async function setLimits(client: pg.Client, id: string, limits: readonly ModelLimit[]) {
  await client.query(
    'update keys set limit_names = $2, limit_units = $3, limit_windows = $4 where id = $1',
    [
      id,
      limits.map(({ name }) => name),
      limits.map(({ limit }) => limit),
      limits.map(({ windowSeconds }) => windowSeconds),
    ],
  );
}

export interface Entry {
  key: string;
  cost: number;
}

export interface ConsumeAnswer {
  codes: (number | null)[];
  times: number[];
  credits: (number | null)[];
  units: (number | null)[];
  resets: (number | null)[];
}

export interface BatchName {
  instance?: string;
  lane?: string;
  sequence?: number;
}

/** Calls the database function once; null if a later batch of the lane came first. */
export async function consume(
  client: pg.Client,
  entries: readonly Entry[],
  clockOffsetMs = 0,
  { instance = randomUUID(), lane = 'a', sequence = 1 }: BatchName = {},
): Promise<ConsumeAnswer> {
  const { rows } = await client.query(
    'select try_consume_limits($1, $2, $3, $4, $5, $6) as answer',
    [
      instance,
      lane,
      sequence,
      entries.map(({ key }) => key),
      entries.map(({ cost }) => cost),
      Math.round(clockOffsetMs),
    ],
  );
  return JSON.parse(rows[0].answer);
}

const CODES = ['VALID', 'RATE_LIMITED', 'CREDITS_EXHAUSTED'] as const;

/** The answer for one entry, in the form of the model. */
export function entryOf(answer: ConsumeAnswer, index: number, limits: number) {
  const places = [5 * index, 5 * index + limits] as const;
  return {
    code: CODES[answer.codes[index] ?? -1],
    credits: answer.credits[index] ?? null,
    units: answer.units.slice(...places),
    resets: answer.resets.slice(...places),
  };
}
