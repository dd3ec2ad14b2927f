import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { recordStatements } from '../support/statements.ts';
import { warmKey } from '../support/warm.ts';

const hashOf = (key: string) => ({
  algorithm: 'sha256',
  value: createHash('sha256').update(key).digest('hex'),
});

describe('strings that are not native keys', () => {
  const pair = usePair();
  const read = (names: readonly string[]) => names.filter((name) => name !== 'fence');
  const strings = Array.from({ length: 50 }, (_, i) => `nonsense ${i}`);

  it('cost no read of a key where nothing was ever imported', async () => {
    const { service } = pair.first;
    await createKey(pair.first);
    await verdict(pair.first, 'warm');
    const statements = recordStatements(service.internals.database);
    const { loads } = service.internals.states;
    for (const string of strings) expect(await verdict(pair.first, string)).toBe('NOT_FOUND');
    expect(read(statements)).toEqual([]);
    expect(service.internals.states.loads).toBe(loads);
  });

  it('are looked up by their digest once keys were imported, each once, many at a time', async () => {
    const body = { keys: [{ name: 'one', hash: hashOf('imported') }] };
    await pair.second.call('POST', '/v1/keys/import', { body });
    const statements = recordStatements(pair.first.service.internals.database);
    const codes = await Promise.all(strings.map((string) => verdict(pair.first, string)));
    expect(new Set(codes)).toEqual(new Set(['NOT_FOUND']));
    const names = read(statements);
    expect(names.filter((name) => name === 'imported_algorithms')).toHaveLength(1);
    expect(names.filter((name) => name === 'load_states').length).toBeLessThanOrEqual(2);
    statements.length = 0;
    for (const string of strings) expect(await verdict(pair.first, string)).toBe('NOT_FOUND');
    expect(read(statements)).toEqual([]);
    expect(await verdict(pair.first, 'imported')).toBe('VALID');
  });

  it('that were unknown are known at once on every instance when they are imported', async () => {
    const [key = ''] = strings;
    expect(await verdict(pair.first, key)).toBe('NOT_FOUND');
    const body = { keys: [{ name: 'late', hash: hashOf(key) }] };
    await pair.second.call('POST', '/v1/keys/import', { body });
    expect(await verdict(pair.first, key)).toBe('VALID');
    expect(await verdict(pair.second, key)).toBe('VALID');
  });

  it('push no good key out of memory, however many are tried', async () => {
    const { key } = await createKey(pair.first);
    await warmKey(key, pair.first);
    const held = pair.first.service.internals.states.size;
    const flood = Array.from({ length: 3000 }, (_, i) => verdict(pair.first, `flood ${i}`));
    await Promise.all(flood);
    expect(pair.first.service.internals.states.size).toBe(held);
    const statements = recordStatements(pair.first.service.internals.database);
    expect(await verdict(pair.first, key)).toBe('VALID');
    expect(read(statements)).toEqual([]);
  });

  it('cost nothing again where what was imported is gone, as SQL by hand can have it', async () => {
    const client = await connect(pair.databaseUrl);
    await client.query('delete from imported_algorithms');
    await verdict(pair.first, 'warm');
    const { loads } = pair.first.service.internals.states;
    expect(await verdict(pair.first, 'imported')).toBe('NOT_FOUND');
    expect(pair.first.service.internals.states.loads).toBe(loads);
  });
});
