import { type SQL, sql } from 'drizzle-orm';
import type { Orm } from '../../db/database.ts';
import { auditEvents, webhookDeliveries, webhooks } from '../../db/schema.ts';
import { readInstant } from '../../db/stored-types.ts';
import { STDOUT } from '../store.ts';
import type { Attempt } from './attempt-result.ts';

/** A delivery that this instance alone may send until its lease ends, with all that is sent. */
export interface Claim {
  position: string;
  leasedUntil: Date;
  webhookId: string;
  url: string;
  format: string;
  signingSecret: Buffer | null;
  previousSecret: Buffer | null;
  previousSecretUntil: Date | null;
  failingSince: Date | null;
  eventId: string;
  eventType: string;
  createdAt: Date;
  failures: number;
  /** Null: a ping. */
  sequence: string | null;
  /** The audit entry; null: there is none, or none any more. */
  payload: string | null;
  hash: string | null;
}

/** Which deliveries an instance has room for. */
export interface Room {
  /** For this many deliveries. */
  places: number;
  /** For this many of a webhook, with those that are under way. */
  placesEach: number;
  /** How many are under way, by webhook. */
  underWay: ReadonlyMap<string, number>;
  slowWebhooks: readonly string[];
  /** Whether it is for the slow webhooks, or for the others. */
  isForSlow: boolean;
  writesStdout: boolean;
}

/** Leases deliveries that are due, as many as there is room for, and reads what is sent of them. */
export async function claimDue(
  orm: Orm,
  room: Room,
  now: Date,
  leasedUntil: Date,
): Promise<Claim[]> {
  const { rows } = await orm.execute<ClaimedRow>(sql`
    with due as (${dueDeliveries(room, now)}),
    claimed as (
      update ${webhookDeliveries} d set leased_until = ${leasedUntil.toISOString()}
        from due where d.position = due.position returning d.*)
    select c.position, c.webhook_id, c.event_id, c.event_type, c.created_at, c.sequence,
           jsonb_array_length(c.attempts) as failures,
           w.url, w.format, w.signing_secret, w.previous_secret, w.previous_secret_until,
           w.failing_since, e.payload, e.hash
      from claimed c
      join ${webhooks} w on w.id = c.webhook_id
      left join ${auditEvents} e on e.workspace_id = c.workspace_id and e.sequence = c.sequence
     order by c.position`);
  return rows.map((row) => toClaim(row, leasedUntil));
}

/** Of each webhook a few, in a random order of webhooks, so that none is always before another. */
function dueDeliveries({ underWay, ...room }: Room, now: Date): SQL {
  return sql`
    select d.position
      from ${webhooks} w
      left join unnest(${sql.param([...underWay.keys()])}::text[],
                       ${sql.param([...underWay.values()])}::int[])
             as busy (webhook_id, attempts) on busy.webhook_id = w.id
     cross join lateral (${oldestOfSubjects(now)}
       limit greatest(${room.placesEach} - coalesce(busy.attempts, 0), 0)
         for update skip locked) d
     where w.enabled and w.deleted_at is null
       and (w.id = any(${sql.param([...room.slowWebhooks])}::text[])) = ${room.isForSlow}
       and (w.id <> ${STDOUT} or ${room.writesStdout})
     order by row_number() over (partition by w.id order by d.position), random()
     limit ${room.places}`;
}

/**
 * Of the webhook `w` and each subject the oldest that waits, if it is due. However many wait, it looks at
 * few: `offset 0` has an index asked for each row in its turn, where all that wait would be joined.
 */
function oldestOfSubjects(now: Date): SQL {
  const at = now.toISOString();
  return sql`
    select queued.position
      from ${webhookDeliveries} queued
     where queued.webhook_id = w.id and queued.status = 'pending' and queued.due_at <= ${at}
       and (queued.leased_until is null or queued.leased_until <= ${at})
       and not exists (
         select from ${webhookDeliveries} earlier
          where earlier.webhook_id = queued.webhook_id and earlier.subject = queued.subject
            and earlier.status = 'pending' and earlier.position < queued.position
         offset 0)
     order by queued.due_at`;
}

interface ClaimedRow extends Record<string, unknown> {
  position: string;
  webhook_id: string;
  event_id: string;
  event_type: string;
  created_at: string;
  sequence: string | null;
  failures: number;
  url: string;
  format: string;
  signing_secret: Buffer | null;
  previous_secret: Buffer | null;
  previous_secret_until: string | null;
  failing_since: string | null;
  payload: string | null;
  hash: string | null;
}

function toClaim(row: ClaimedRow, leasedUntil: Date): Claim {
  const { position, url, format, failures, sequence, payload, hash } = row;
  return {
    ...{ position, leasedUntil, url, format, failures, sequence, payload, hash },
    webhookId: row.webhook_id,
    signingSecret: row.signing_secret,
    previousSecret: row.previous_secret,
    previousSecretUntil: instantOrNull(row.previous_secret_until),
    failingSince: instantOrNull(row.failing_since),
    eventId: row.event_id,
    eventType: row.event_type,
    createdAt: readInstant(row.created_at),
  };
}

function instantOrNull(value: string | null): Date | null {
  return value === null ? null : readInstant(value);
}

/**
 * Records an attempt, if the delivery is still leased to this instance, and when those of its subject that
 * wait behind it are due.
 */
export async function recordAttempt(
  orm: Orm,
  { position, leasedUntil }: Claim,
  attempt: Attempt,
  { at, dueAt }: { at: Date; dueAt: Date | null },
): Promise<void> {
  const finished = attempt.error === null ? 'delivered' : 'failed';
  await orm.execute(sql`
    with recorded as (
      update ${webhookDeliveries}
         set status = ${dueAt ? 'pending' : finished}, due_at = ${dueAt?.toISOString() ?? null},
             finished_at = ${dueAt ? null : at.toISOString()}, leased_until = null,
             attempts = attempts || ${JSON.stringify([attempt])}::jsonb
       where position = ${position} and leased_until = ${leasedUntil.toISOString()}
      returning webhook_id, subject, position)
    update ${webhookDeliveries} waiting ${dueAt ? waitFor(dueAt) : letNextBeDue(at)}`);
}

const IS_BEHIND = sql`
  waiting.webhook_id = recorded.webhook_id and waiting.subject = recorded.subject
  and waiting.status = 'pending' and waiting.position > recorded.position`;

/** They are not looked at before the one that they wait for is tried again. */
function waitFor(dueAt: Date): SQL {
  const due = dueAt.toISOString();
  return sql`set due_at = ${due} from recorded where ${IS_BEHIND} and waiting.due_at < ${due}`;
}

/** `+ 0` keeps the database from a walk along all positions for the least one. */
function letNextBeDue(at: Date): SQL {
  const now = at.toISOString();
  return sql`set due_at = ${now} from recorded
     where waiting.due_at > ${now} and waiting.position = (
       select min(waiting.position + 0) from ${webhookDeliveries} waiting where ${IS_BEHIND})`;
}

/** Lets any instance send what this one has not. */
export async function releaseLease(orm: Orm, { position, leasedUntil }: Claim): Promise<void> {
  await orm.execute(sql`
    update ${webhookDeliveries} set leased_until = null
     where position = ${position} and leased_until = ${leasedUntil.toISOString()}`);
}

/**
 * Of the receiver that was asked: it says nothing of another URL. Not within the transaction that records
 * the attempt: others lock a webhook before its deliveries.
 */
export async function recordHealth(
  orm: Orm,
  { webhookId, url }: Pick<Claim, 'webhookId' | 'url'>,
  isDelivered: boolean,
  at: Date,
): Promise<void> {
  const now = at.toISOString();
  const change = isDelivered
    ? sql`set failing_since = null, last_delivered_at = ${now}
          where (failing_since is not null or last_delivered_at is null
                 or last_delivered_at < ${now}::timestamptz - interval '1 second')`
    : sql`set failing_since = ${now} where failing_since is null`;
  await orm.execute(sql`update ${webhooks} ${change} and id = ${webhookId} and url = ${url}`);
}
