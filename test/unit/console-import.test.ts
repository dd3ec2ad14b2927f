import { describe, expect, it } from 'vitest';
import { batchesOf, isSendable, parseImport } from '../../src/console/page/pages/import/parse.ts';

const HEX = 'ab'.repeat(32);
const BASE64 = Buffer.alloc(32, 7).toString('base64');

describe('the import page', () => {
  it('a JSON line is a key with all that it says, and what is wrong with one is said beside its line', () => {
    const text = [
      JSON.stringify({ name: 'one', hash: { algorithm: 'sha256', value: HEX }, scopes: ['a:b'] }),
      '',
      '{"name": ',
      '[]',
      JSON.stringify({ hash: { algorithm: 'sha256', value: HEX } }),
      JSON.stringify({ name: 'no hash' }),
      JSON.stringify({ name: 'md5', hash: { algorithm: 'md5', value: HEX } }),
      JSON.stringify({ name: 'short', hash: { algorithm: 'sha512', value: HEX } }),
      JSON.stringify({ name: 'base64', hash: { algorithm: 'sha256', value: BASE64 } }),
    ].join('\r\n');
    const { rows, fault } = parseImport(text);
    expect(fault).toBeNull();
    expect(rows.map(({ line, fault: wrong }) => [line, wrong])).toEqual([
      [1, null],
      [3, 'is no JSON'],
      [4, 'is no object'],
      [5, 'has no name'],
      [6, 'has no hash'],
      [7, 'its hash algorithm is neither sha256 nor sha512'],
      [8, 'its hash value is no sha512 digest'],
      [9, null],
    ]);
    expect(rows[0]?.item?.scopes).toEqual(['a:b']);
  });

  it('an array, or the body of the call, is read as JSON lines are, and its entries are counted', () => {
    const good = { name: 'one', hash: { algorithm: 'sha256', value: HEX } };
    for (const whole of [[good, { name: 'two' }], { keys: [good, { name: 'two' }] }]) {
      const { rows, unit, fault } = parseImport(JSON.stringify(whole, null, 2));
      expect({ unit, fault }).toEqual({ unit: 'Entry', fault: null });
      expect(rows.map(({ line, fault: wrong }) => [line, wrong])).toEqual([
        [1, null],
        [2, 'has no hash'],
      ]);
    }
    expect(parseImport(JSON.stringify(good)).unit).toBe('Line');
    expect(parseImport('[{"name": ').fault).toBe('This is no JSON array.');
  });

  it('a CSV file is read as the command reads it: quoted cells, empty cells left out, JSON where a cell holds a list', () => {
    const text = [
      '\uFEFFname,hash_algorithm,hash_value,scopes,enabled,expires_in_seconds,metadata',
      `"Anna ""CI"", deploys",sha256,${HEX},a:b c:d,false,3600,"{""plan"": ""pro""}"`,
      '',
      `"two`,
      `lines",sha256,${HEX},,,,`,
      `three,sha256,${HEX}`,
      `four,sha256,${HEX},,,,{`,
    ].join('\n');
    const { rows, fault } = parseImport(text);
    expect(fault).toBeNull();
    expect(rows[0]?.item).toEqual({
      name: 'Anna "CI", deploys',
      hash: { algorithm: 'sha256', value: HEX },
      scopes: ['a:b', 'c:d'],
      enabled: false,
      expiresInSeconds: 3600,
      metadata: { plan: 'pro' },
    });
    expect(rows.map(({ line, name, fault: wrong }) => [line, name, wrong])).toEqual([
      [2, 'Anna "CI", deploys', null],
      [4, 'two\nlines', null],
      [6, '', 'has 3 columns, the first line 7'],
      [7, '', 'metadata is no JSON'],
    ]);
  });

  it.each([
    ['an unknown column', 'name,secret\nx,y', /no column “secret”/],
    ['a column twice', 'name,name\nx,y', /“name” twice/],
    ['a stray quote', `name,hash_value\n"x,y\nz`, /Line 2 has a quote/],
    ['too many lines', 'name\n'.concat('x\n'.repeat(10_001)), /10000 keys at most/],
  ])('a file with %s is refused as a whole', (_what, text, fault) => {
    const parsed = parseImport(text);
    expect(parsed.rows).toEqual([]);
    expect(parsed.fault).toMatch(fault);
  });

  it('a batch has at most 500 keys and half a megabyte, and all keys are in one, in their order', () => {
    const line = (name: string, note: string) =>
      JSON.stringify({ name, hash: { algorithm: 'sha256', value: HEX }, metadata: { note } });
    const lines = Array.from({ length: 1200 }, (_, index) =>
      line(`key ${index}`, 'x'.repeat(index < 200 ? 5000 : 1)),
    );
    const rows = parseImport(lines.join('\n')).rows.filter(isSendable);
    const batches = batchesOf(rows);
    expect(batches.flat()).toEqual(rows);
    for (const batch of batches) {
      expect(batch.length).toBeLessThanOrEqual(500);
      const { length } = JSON.stringify(batch.map(({ item }) => item));
      expect(length).toBeLessThan(510_000);
    }
    expect(batches.length).toBeLessThan(8);
  });

  it('a long cell whose quote never ends is found broken at once', () => {
    const started = performance.now();
    expect(parseImport(`name\n"${'a""'.repeat(200_000)}`).fault).toMatch(/quote/);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
