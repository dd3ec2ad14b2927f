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

export function healthRoutes(app: App, checks: ReadinessChecks): void {
  app.addSchema(Health);
  const answer = { $ref: 'Health#' };
  const schema = (operationId: string, summary: string, response: object) => ({
    operationId,
    tags: ['Health'],
    summary,
    security: [],
    response,
  });

  const config = { alwaysAdmitted: true };

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
      const results = await runChecks(checks);
      const ready = Object.values(results).every((result) => result === 'ok');
      reply.status(ready ? 200 : 503);
      return { status: ready ? 'ok' : 'not ready', checks: results };
    },
  );
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
