import { type SQL, sql } from 'drizzle-orm';
import { among, at, DAY_MS, HOUR_MS, living } from '../../db/key-predicates.ts';
import { readInstant } from '../../db/stored-types.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput } from '../condition.ts';

interface Row extends Record<string, unknown> {
  keyId: string;
  secretId: string;
  issuedAt: string;
}

function rotationQuery(input: FindInput, dueDays: number): SQL {
  const { workspace, now, limit, targets } = input;
  return sql`select s.key_id as "keyId", s.id as "secretId", s.created_at as "issuedAt"
               from secrets s join keys k on k.workspace_id = s.workspace_id and k.id = s.key_id
              where s.workspace_id = ${workspace.id} and s.status = 'current' and not s.ended
                and s.created_at <= ${at(now.getTime() - dueDays * DAY_MS)}
                and ${living(now)} and k.enabled
                ${among(sql`s.key_id`, targets)}
              order by s.created_at, s.key_id limit ${limit}`;
}

/** Strings that have been in use for long. */
export const ROTATION_DUE: Condition = {
  type: 'rotation_due',
  everyMs: HOUR_MS,
  concerns: (now) => sql`exists (
    select from secrets s where s.workspace_id = w.id and s.status = 'current' and not s.ended
       and s.created_at <= ${at(now.getTime() - DAY_MS)})`,
  find: async (input) => {
    const dueDays = input.workspace.thresholds.rotationDueDays;
    if (dueDays === null) return [];
    const rows = await input.read<Row>(rotationQuery(input, dueDays));
    return rows.map(({ keyId, secretId, issuedAt }) => ({
      targetType: 'key',
      targetId: keyId,
      cause: secretId,
      details: { secretId, issuedAt: toIso(readInstant(issuedAt)), rotationDueDays: dueDays },
    }));
  },
};
