import { sql } from 'drizzle-orm';
import type { Orm } from '../../db/database.ts';
import { webhookDeliveries } from '../../db/schema.ts';

const DAY_MS = 86_400_000;
/** Of a run, each minute. */
const MAX_ROWS = 5000;

/** Deletes some of the finished deliveries that are no longer kept. */
export async function deleteOldDeliveries(orm: Orm, now: number, keptDays: number): Promise<void> {
  const before = new Date(now - keptDays * DAY_MS).toISOString();
  await orm.execute(sql`
    delete from ${webhookDeliveries} where position in (
      select position from ${webhookDeliveries}
       where finished_at < ${before} order by finished_at limit ${MAX_ROWS}
         for update skip locked)`);
}
