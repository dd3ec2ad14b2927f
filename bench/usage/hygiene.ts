import type { Database } from '../../src/db/database.ts';
import { KEY_SECTIONS, OWNER_SECTION, sectionQuery } from '../../src/reports/hygiene/sections.ts';
import {
  countRows,
  MAX_COUNT,
  ownersOf,
  readOwners,
  readSection,
  rowsOf,
} from '../../src/reports/hygiene/store.ts';
import type { BenchEnv } from '../harness/env.ts';
import { median, rounded } from '../harness/statistics.ts';

const RUNS = 5;
const PAGE = 51;
const PARAMETERS = {
  ...{ idleDays: 90, expiringDays: 30, maxScopes: 10, rotateAfterDays: 180, disabledDays: 90 },
};

/** The count and the first page of each section, of every workspace together. */
export async function timeSections({ orm }: Database): Promise<object[]> {
  const now = Date.now();
  const rows = [];
  for (const section of [...KEY_SECTIONS, OWNER_SECTION] as const) {
    const all =
      section === OWNER_SECTION
        ? ownersOf(null, now, null, MAX_COUNT + 1)
        : rowsOf(sectionQuery(section, { ...PARAMETERS, now }), null, null, MAX_COUNT + 1);
    const page = () =>
      section === OWNER_SECTION
        ? readOwners(orm, ownersOf(null, now, null, PAGE))
        : readSection(orm, sectionQuery(section, { ...PARAMETERS, now }), null, null, PAGE);
    let count: number | null = null;
    const counting = await timesOf(async () => {
      count = await countRows(orm, all);
    });
    rows.push({ section, count, ...counting, 'first page ms': (await timesOf(page))['median ms'] });
  }
  return rows;
}

async function timesOf(work: () => Promise<unknown>) {
  await work();
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return { 'median ms': rounded(median(times)), 'most ms': rounded(Math.max(...times)) };
}

/** Nine tenths of the keys have ended long ago: all but each tenth, and but those that are in use. */
export async function revokeMost({ query }: BenchEnv): Promise<void> {
  await query(
    `update keys set revoked_at = created_at + interval '1 day', revoke_reason = 'left'
      where revoked_at is null and created_at < now() - interval '2 days'
        and not exists (select from key_usage u
                         where u.key_id = keys.id and u.last_used_day >= now()::date - 2)`,
  );
  await query('delete from change_feed');
  await query('vacuum (analyze)');
}

/** As retention does in steps. */
export async function markEnded({ query }: BenchEnv): Promise<void> {
  await query(`select mark_ended_keys('-infinity', '', now(), 2147483647)`);
  await query('delete from change_feed');
  await query('vacuum (analyze)');
}
