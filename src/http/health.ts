import { sql } from 'drizzle-orm';
import { Type } from 'typebox';
import type { Orm } from '../db/database.ts';
import type { App } from './app-type.ts';
import { oneOf, open } from './schemas.ts';

const Health = Type.Object(
  {
    status: open(oneOf('HealthStatus', ['ok', 'not ready']), {
      description: 'Health status.',
      examples: ['ok'],
    }),
    checks: Type.Record(Type.String(), Type.String(), {
      description: 'Results of the checks by name; `ok` if the check passed.',
      examples: [{ database: 'ok', migrations: 'ok' }],
    }),
  },
  { $id: 'Health', description: 'Health of this instance.' },
);

/** By name. A check returns a word or throws; anything but `ok` makes the instance not ready. */
export type ReadinessChecks = Record<string, () => Promise<string>>;

/** How long a result is answered again, so that many who ask cost no more than one. */
const READINESS_KEPT_MS = 1000;

/** @param now milliseconds, of any clock that does not step back */
export function healthRoutes(app: App, checks: ReadinessChecks, now: () => number): void {
  const readiness = keepForAMoment(() => runChecks(checks), now);
  app.addSchema(Health);
  const answer = { $ref: 'Health#' };
  const schema = (operationId: string, summary: string, response: object) => ({
    operationId,
    tags: ['Health'],
    summary,
    security: [],
    response,
  });

  const config = { place: 'none' } as const;

  app.get(
    '/livez',
    { config, schema: schema('getLiveness', 'Liveness check', { 200: answer }) },
    () => ({ status: 'ok', checks: {} }),
  );

  app.get(
    '/readyz',
    {
      config,
      schema: schema('getReadiness', 'Readiness check', {
        200: answer,
        503: answer,
      }),
    },
    async (_request, reply) => {
      const results = await readiness();
      const ready = Object.values(results).every((result) => result === 'ok');
      reply.status(ready ? 200 : 503);
      return { status: ready ? 'ok' : 'not ready', checks: results };
    },
  );
}

/** One run at a time, whose result stands for a moment after it was asked for. */
function keepForAMoment<T>(run: () => Promise<T>, now: () => number): () => Promise<T> {
  let last: { result: Promise<T>; until: number } | null = null;
  let isRunning = false;
  return () => {
    if (last && (isRunning || now() < last.until)) return last.result;
    isRunning = true;
    const result = run().finally(() => {
      isRunning = false;
    });
    last = { result, until: now() + READINESS_KEPT_MS };
    return result;
  };
}

async function runChecks(checks: ReadinessChecks): Promise<Record<string, string>> {
  const results = Object.entries(checks).map(async ([name, check]) => [
    name,
    await check().catch(() => 'unavailable'),
  ]);
  return Object.fromEntries(await Promise.all(results));
}

/** Whether the schema is this version's, or a newer one during an upgrade. */
export async function migrationsCheck(orm: Orm, expected: number): Promise<string> {
  const { rows } = await orm.execute<{ applied: number }>(
    sql`select count(*)::int as applied from drizzle.__drizzle_migrations`,
  );
  return (rows[0]?.applied ?? 0) >= expected ? 'ok' : 'pending';
}
