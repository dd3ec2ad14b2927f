import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { metric } from '../support/metrics.ts';
import { usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { interceptQuery, recordStatements } from '../support/statements.ts';
import { warmKey } from '../support/warm.ts';

const LOADS = 'keyward_credential_loads_total';
const CACHED = 'keyward_bound_used{bound="credentials"}';

const hashOf = (key: string) => ({
  algorithm: 'sha256',
  value: createHash('sha256').update(key).digest('hex'),
});

describe('strings that are not native keys', () => {
  const pair = usePair();
  const read = (names: readonly string[]) => names.filter((name) => name !== 'fence');
  const strings = Array.from({ length: 50 }, (_, i) => `nonsense ${i}`);

  it('a string that is no native key costs no read if nothing was ever imported', async () => {
    await createKey(pair.first);
    await verdict(pair.first, 'warm');
    const statements = recordStatements(pair.first.service.internals.database);
    const loads = await metric(pair.first, LOADS);
    for (const string of strings) expect(await verdict(pair.first, string)).toBe('NOT_FOUND');
    expect(read(statements)).toEqual([]);
    expect(await metric(pair.first, LOADS)).toBe(loads);
  });

  it('strings that are no native keys are looked up by their digest after an import, each once, in batches', async () => {
    const body = { keys: [{ name: 'one', hash: hashOf('imported') }] };
    await pair.second.call('POST', '/v1/keys/import', { body });
    const statements = recordStatements(pair.first.service.internals.database);
    const codes = await Promise.all(strings.map((string) => verdict(pair.first, string)));
    expect(new Set(codes)).toEqual(new Set(['NOT_FOUND']));
    const names = read(statements);
    expect(names.filter((name) => name === 'imported_algorithms')).toHaveLength(1);
    expect(names.filter((name) => name === 'load_credentials').length).toBeLessThanOrEqual(2);
    statements.length = 0;
    for (const string of strings) expect(await verdict(pair.first, string)).toBe('NOT_FOUND');
    expect(read(statements)).toEqual([]);
    expect(await verdict(pair.first, 'imported')).toBe('VALID');
  });

  it('algorithms that were read from another run of Postgres than that of the fence answer nobody', async () => {
    const client = await connect(pair.databaseUrl);
    await client.query('delete from incarnation');
    const restore = interceptQuery(
      pair.first.service.internals.database,
      'imported_algorithms',
      async (send) => (await send()).map((row) => ({ ...row, incarnation: randomUUID() })),
    );
    const verify = () => pair.first.call('POST', '/v1/verify', { body: { key: 'imported' } });
    expect(await verify()).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    restore();
    expect(await verify()).toMatchObject({ status: 200, body: { code: 'VALID' } });
  });

  it('a string that was unknown is valid on every instance at once when it is imported', async () => {
    const [key = ''] = strings;
    expect(await verdict(pair.first, key)).toBe('NOT_FOUND');
    const body = { keys: [{ name: 'late', hash: hashOf(key) }] };
    await pair.second.call('POST', '/v1/keys/import', { body });
    expect(await verdict(pair.first, key)).toBe('VALID');
    expect(await verdict(pair.second, key)).toBe('VALID');
  });

  it('unknown strings do not evict cached keys, however many are tried', async () => {
    const { key } = await createKey(pair.first);
    await warmKey(key, pair.first);
    const cached = await metric(pair.first, CACHED);
    const flood = Array.from({ length: 3000 }, (_, i) => verdict(pair.first, `flood ${i}`));
    await Promise.all(flood);
    expect(await metric(pair.first, CACHED)).toBe(cached);
    const statements = recordStatements(pair.first.service.internals.database);
    expect(await verdict(pair.first, key)).toBe('VALID');
    expect(read(statements)).toEqual([]);
  });

  it('a string costs no read once the imported keys were deleted by SQL', async () => {
    const client = await connect(pair.databaseUrl);
    await client.query('delete from imported_algorithms');
    await verdict(pair.first, 'warm');
    const loads = await metric(pair.first, LOADS);
    expect(await verdict(pair.first, 'imported')).toBe('NOT_FOUND');
    expect(await metric(pair.first, LOADS)).toBe(loads);
  });
});
