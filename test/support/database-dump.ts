import pg from 'pg';

/** Every row of every table of every schema as one text, bytes in hex: what a thief could read. */
export async function dumpDatabase(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const dumps: string[] = [];
    for (const table of await tablesOf(client)) dumps.push(await dumpTable(client, table));
    return dumps.join('\n');
  } finally {
    await client.end();
  }
}

async function tablesOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'm')
       and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
     order by 1`);
  return rows.map(({ name }) => name);
}

async function dumpTable(client: pg.Client, table: string): Promise<string> {
  const { rows } = await client.query<{ row: string }>(
    `select row_to_json(t)::text as row from ${table} t`,
  );
  return [`-- ${table}: ${rows.length}`, ...rows.map(({ row }) => row)].join('\n');
}

/**
 * A text as it could occur in a dump: as it is, in hex, or in base64 at each of the three
 * alignments.
 */
export function encodingsOf(text: string): string[] {
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.from('x'.repeat(shift) + text)
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  );
  return [text, Buffer.from(text).toString('hex'), ...base64];
}
