import { drizzle } from 'drizzle-orm/node-postgres';
import * as schema from '../../src/db/schema.ts';
import type { ListKeys } from '../../src/keys/listing/schemas.ts';
import { pageOfKeys } from '../../src/keys/listing/store.ts';
import type { Installation } from './installation.ts';

const WORKSPACE = 'default';

/** A query by start gets the start of an existing key. */
export function queryOf({ start }: Installation, query: ListKeys): ListKeys {
  return query.start === undefined ? query : { ...query, start };
}
const FAR_PAGE = 100;
const LARGEST_PAGE = 50;

/** Which pages of a list are compared. */
export interface Pages {
  /** The number of keys on the first page of both sizes: as many as the smaller list has. */
  first: number;
  limit: number;
  /** The hundredth page, or the last if there are fewer. */
  far: number;
}

/** Chooses the longest pages with which the list has a hundredth one. */
export async function choosePages(smallest: Installation, query: ListKeys): Promise<Pages> {
  const found = (await statement(smallest, query, FAR_PAGE * LARGEST_PAGE)).length;
  const limit = Math.min(LARGEST_PAGE, Math.max(1, Math.floor(found / FAR_PAGE)));
  const first = Math.max(1, Math.min(LARGEST_PAGE, found));
  return { first, limit, far: Math.max(1, Math.min(FAR_PAGE, Math.ceil(found / limit))) };
}

/** The address of a distant page, reached cursor by cursor as callers do. */
export async function addressOf(
  installation: Installation,
  query: ListKeys,
  { limit, far }: Pages,
): Promise<string> {
  // The same number of keys is passed on fewer pages.
  const [steps, length] = far === FAR_PAGE ? [limit, FAR_PAGE - 1] : [far - 1, limit];
  let cursor: string | null = null;
  for (let step = 0; step < steps; step++) {
    const page: { nextCursor: string | null } = JSON.parse(
      await installation.call('GET', address(queryOf(installation, query), length, cursor)),
    );
    cursor = page.nextCursor;
  }
  return address(queryOf(installation, query), limit, cursor);
}

export function address(query: ListKeys, limit: number, cursor: string | null = null): string {
  const pairs = Object.entries({ ...query, limit, ...(cursor !== null && { cursor }) });
  const parameters = pairs.flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  );
  return `/v1/keys?${new URLSearchParams(parameters)}`;
}

/** The plan with which Postgres runs the first page. */
export async function explain(installation: Installation, query: ListKeys, limit: number) {
  const { sql, params } = statement(installation, query, limit + 1).toSQL();
  const { rows } = await installation.client.query<{ 'QUERY PLAN': string }>(
    `explain (analyze, buffers) ${sql}`,
    params,
  );
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

/** The indexes of a plan that find the keys, without those of joined tables. */
export function indexesOf(plan: string): string {
  const named = plan.matchAll(/(?:using|Index Scan on) ((?:keys|secrets)_\w+)|(Seq Scan) on keys/g);
  return [...new Set([...named].map(([, index, scan]) => index ?? scan))].join(', ') || 'none';
}

function statement(installation: Installation, query: ListKeys, limit: number) {
  const options = { after: null, now: new Date(), limit };
  const orm = drizzle(installation.client, { schema });
  return pageOfKeys(orm, WORKSPACE, queryOf(installation, query), options);
}
