import { sql } from 'drizzle-orm';
import type { Orm } from '../../db/database.ts';
import { webhookDeliveries } from '../../db/schema.ts';

/**
 * Makes due what was queued behind an event that was delivered in the same moment: it was given the time
 * of the next attempt of that event, which no longer comes.
 */
export async function makeUnblockedDue(orm: Orm, now: number): Promise<void> {
  const at = new Date(now).toISOString();
  await orm.execute(sql`
    update ${webhookDeliveries} d set due_at = ${at}
     where d.status = 'pending' and d.due_at > ${at} and d.attempts = '[]'::jsonb
       and not exists (
         select from ${webhookDeliveries} earlier
          where earlier.webhook_id = d.webhook_id and earlier.subject = d.subject
            and earlier.status = 'pending' and earlier.position < d.position
         offset 0)`);
}
