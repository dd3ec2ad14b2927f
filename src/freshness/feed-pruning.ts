import { sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';

/** Not that of the fold of counters, which may hold its own most of the time. */
const LOCK = 5_396_122;
const KEPT_MINUTES = 10;

/**
 * Drops feed rows that every instance has seen or will notice that it missed. The bound is a
 * transaction id: below an `xmin` that was recorded ten minutes ago, every transaction had ended
 * then. By age alone a late commit would be lost.
 */
export async function pruneFeed(orm: Orm, keptMinutes = KEPT_MINUTES): Promise<void> {
  await orm.transaction(async (tx) => {
    const lock = await tx.execute<{ mine: boolean }>(
      sql`select pg_try_advisory_xact_lock(${LOCK}) as mine`,
    );
    if (!lock.rows[0]?.mine) return;
    await tx.execute(
      sql`insert into feed_horizons (oldest) values (pg_snapshot_xmin(pg_current_snapshot()))`,
    );
    await tx.execute(sql`
      update feed_pruned set below = greatest(below, coalesce(
        (select oldest from feed_horizons
          where recorded_at <= clock_timestamp() - make_interval(mins => ${keptMinutes})
            and oldest <= pg_snapshot_xmin(pg_current_snapshot())
          order by recorded_at desc limit 1), below))`);
    await tx.execute(sql`delete from change_feed where txid < (select below from feed_pruned)`);
    await tx.execute(sql`
      delete from feed_horizons
       where recorded_at < clock_timestamp() - make_interval(mins => ${2 * keptMinutes})`);
  });
}

/**
 * A restored or copied database can hold rows of transactions that have not happened yet here.
 * They would name nothing, and keep the horizon ahead of every fence.
 */
export async function deleteFutureRows(orm: Orm): Promise<void> {
  await orm.transaction(async (tx) => {
    await tx.execute(sql`
      delete from change_feed where txid >= pg_snapshot_xmax(pg_current_snapshot())`);
    await tx.execute(sql`
      delete from feed_horizons where oldest >= pg_snapshot_xmax(pg_current_snapshot())`);
    await tx.execute(sql`
      update feed_pruned set below = '0' where below > pg_snapshot_xmax(pg_current_snapshot())`);
  });
}
