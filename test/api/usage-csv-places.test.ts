import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { usePair } from '../support/pair.ts';

const pair = usePair();
const KEYS = 13;
const HOURS = 30 * 24;

/** As many groups and hours as make several pages of each export. */
async function useKeys(): Promise<void> {
  const sql = await connect(pair.databaseUrl);
  for (let key = 0; key < KEYS; key++) {
    await pair.first.call('POST', '/v1/keys', { body: { name: `key ${key}` } });
  }
  await sql.query(`
    insert into usage_recent (workspace_id, key_id, hour, secret_ref, code, count)
    select k.workspace_id, k.id, date_trunc('hour', now()) - interval '1 hour', s.ref, 'VALID', 1
      from keys k join secrets s on s.key_id = k.id`);
}

it('exports at once, more than there are places, end and hold up no other call', async () => {
  await useKeys();
  const hour = 3_600_000;
  const now = Math.floor(Date.now() / hour) * hour;
  const range = `from=${new Date(now - HOURS * hour).toISOString()}&to=${new Date(now).toISOString()}`;
  const query = `groupBy=key&groupBy=time&granularity=hour&order=group&${range}`;
  const read = () =>
    pair.first.call('GET', `/v1/usage?${query}`, { headers: { accept: 'text/csv' } });
  const exports = Array.from({ length: 12 }, read);
  expect((await pair.first.call('GET', '/v1/keys')).status).toBe(200);
  for (const { status, text } of await Promise.all(exports)) {
    expect(status).toBe(200);
    expect(text.trimEnd().split('\r\n')).toHaveLength(1 + KEYS * HOURS);
  }
});
