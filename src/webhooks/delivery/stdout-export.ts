import { sql } from 'drizzle-orm';
import type { Orm } from '../../db/database.ts';
import { webhooks } from '../../db/schema.ts';
import type { Actor } from '../../domain/caller.ts';

/** The row of `webhooks` through which the audit logs go to stdout. The API does not show it. */
export const STDOUT = 'stdout';

const ACTOR: Actor = { type: 'system', id: 'stdout', onBehalfOf: null };

/** Writes a line to stdout. Resolves once it has left the process; rejects when it has not in time. */
export type WriteLine = (line: string, late: AbortSignal) => Promise<void>;

/** From here on entries wait for stdout, or do not. */
export async function switchStdoutExport(orm: Orm, isOn: boolean, at: Date): Promise<void> {
  if (!isOn) {
    await orm.execute(sql`update ${webhooks} set enabled = false where id = ${STDOUT} and enabled`);
    return;
  }
  const now = at.toISOString();
  await orm.execute(sql`
    insert into ${webhooks} as w (id, url, format, created_at, created_by, updated_at)
    values (${STDOUT}, 'stdout:', 'event', ${now}, ${JSON.stringify(ACTOR)}::jsonb, ${now})
    on conflict (id) do update
       set enabled = true, failing_since = null, updated_at = excluded.updated_at
     where not w.enabled`);
}

/** An entry as a line: its text as it is stored, so that the chain can be checked with the lines alone. */
export function auditLine(payload: string, hash: string): string {
  return `{"event":"audit.entry","hash":${JSON.stringify(hash)},"entry":${payload}}\n`;
}

export const writeToStdout: WriteLine = (line) => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.stdout.write(line, (error) => (error ? reject(error) : resolve()));
  return promise;
};
