import { type SQL, sql } from 'drizzle-orm';
import { at, DAY_MS } from '../../db/key-predicates.ts';
import { readInstant } from '../../db/stored-types.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput } from '../condition.ts';

const EVERY_MS = 300_000;
/** After as long without another attempt, nobody presents it any more. */
const QUIET_MS = DAY_MS;

interface Row extends Record<string, unknown> {
  keyId: string;
  secretId: string;
  endedBy: string;
  lastPresentedAt: string;
}

/** What is answered of a string that has ended, and of nothing else that has a key. */
const ENDED_CODES = sql`u.code in ('NOT_FOUND', 'REVOKED')`;

/** Keys that are older than their workspace were a former tenant's of the same id. */
function endedStringsQuery({ workspace, now, limit, targets }: FindInput): SQL {
  const since = at(now.getTime() - QUIET_MS);
  // Asked about keys, their strings; else what was counted today, by the index of denials.
  const presented = targets
    ? sql`select ref from secrets where key_id = any(${sql.param([...targets])})`
    : sql`select distinct u.secret_ref as ref from usage_recent u
           where u.workspace_id = ${workspace.id} and ${ENDED_CODES} and u.code <> 'VALID'
             and u.hour > ${since} and u.key_id <> ''`;
  return sql`select s.key_id as "keyId", s.id as "secretId", v.last_denied_at as "lastPresentedAt",
                    case when k.deleted_at is not null then 'deletion'
                         when s.status = 'current' then 'revocation' else 'rotation' end as "endedBy"
               from (${presented}) presented
               cross join lateral (select * from secrets where ref = presented.ref limit 1) s
               join keys k on k.id = s.key_id and k.workspace_id = ${workspace.id}
               join secret_usage v on v.secret_ref = s.ref
              where v.last_denied_at > ${since} and k.created_at >= ${at(workspace.createdAt)}
                and (s.status = 'retired' or s.valid_until <= ${at(now)}
                     or k.revoked_at is not null or k.deleted_at is not null)
              order by s.id limit ${limit}`;
}

/** Strings that were rotated, revoked or deleted and that someone still presents. */
export const ENDED_STRING_USED: Condition = {
  type: 'ended_string_used',
  everyMs: EVERY_MS,
  recurs: true,
  concerns: (now) => sql`exists (
    select from usage_recent u where u.workspace_id = w.id and ${ENDED_CODES}
       and u.code <> 'VALID' and u.hour > ${at(now.getTime() - QUIET_MS)})`,
  find: async (input) => {
    const rows = await input.read<Row>(endedStringsQuery(input));
    return rows.map(({ keyId, secretId, endedBy, lastPresentedAt }) => ({
      targetType: 'key',
      targetId: keyId,
      cause: secretId,
      details: { secretId, endedBy, lastPresentedAt: toIso(readInstant(lastPresentedAt)) },
    }));
  },
};
