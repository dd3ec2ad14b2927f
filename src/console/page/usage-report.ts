import { answerOf, api } from './api.ts';
import type { Schemas, UsageQuery } from './api-types.ts';
import type { Bar } from './components/bars.ts';

export type UsageReport = Schemas['UsageReport'];

export async function readUsage(query: UsageQuery): Promise<UsageReport> {
  const report = await answerOf(api.GET('/v1/usage', { params: { query } }));
  if (typeof report === 'string') throw new Error('usage is asked for as JSON');
  return report;
}

/**
 * Bars of each group, by the id that `idOf` names: two queries, one of every verdict and one of those
 * that were VALID.
 */
export async function readBars(
  query: UsageQuery,
  idOf: (group: UsageReport['data'][number]) => string,
): Promise<Map<string, Bar[]>> {
  const [all, valid] = await Promise.all([
    readUsage(query),
    readUsage({ ...query, code: ['VALID'] }),
  ]);
  const passed = new Map(valid.data.map((group) => [idOf(group), group.buckets]));
  return new Map(
    all.data.map((group) => [
      idOf(group),
      group.buckets.map(({ start, verifications }, index) => {
        const count = passed.get(idOf(group))?.[index]?.verifications ?? 0;
        return { start, valid: count, denied: verifications - count };
      }),
    ]),
  );
}
