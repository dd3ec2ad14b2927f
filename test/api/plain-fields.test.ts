import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { itemOfCells, readHeader } from '../../src/keys/import/columns.ts';
import { plainFields } from '../../src/keys/schemas/fields.ts';
import { auditOf, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

/** Every plain field with the example of its schema. */
const EXAMPLES = Object.fromEntries(
  Object.entries(plainFields).map(([name, { create }]) => [name, exampleOf(create)]),
);

describe('plain fields of a key', () => {
  const pair = usePair();
  const read = async (id: string) => (await pair.second.call('GET', `/v1/keys/${id}`)).body;

  it('a creation takes every plain field, and answers and the audit log show it as it was given', async () => {
    const { id } = await createKey(pair.first, EXAMPLES);
    expect(await read(id)).toMatchObject(EXAMPLES);
    const [created] = await auditOf(pair.first, id);
    expect(created.after).toMatchObject(EXAMPLES);
  });

  it('a patch changes every plain field', async () => {
    const { id } = await createKey(pair.first);
    const answer = await pair.first.call('PATCH', `/v1/keys/${id}`, { body: EXAMPLES });
    expect(answer.body).toMatchObject(EXAMPLES);
    expect(await read(id)).toMatchObject(EXAMPLES);
  });

  it('an import takes every plain field', async () => {
    const value = createHash('sha256').update('with every plain field').digest('hex');
    const item = { ...EXAMPLES, hash: { algorithm: 'sha256', value } };
    const answer = await pair.first.call('POST', '/v1/keys/import', { body: { keys: [item] } });
    expect(await read(answer.body.results[0].keyId)).toMatchObject(EXAMPLES);
  });

  it('a key that was given none of them has their initial values', async () => {
    const { id } = await createKey(pair.first, { name: 'bare' });
    const initial = Object.entries(plainFields).map(([name, field]) => [name, field.initial]);
    expect(await read(id)).toMatchObject({ ...Object.fromEntries(initial), name: 'bare' });
  });

  it('a CSV file has a column for every plain field', () => {
    const names = Object.keys(EXAMPLES);
    const header = names.map((name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`));
    const cells = Object.entries(EXAMPLES).map(([name, value]) => cellOf(name, value));
    expect(itemOfCells(readHeader(header), cells)).toEqual({ value: EXAMPLES, errors: [] });
  });
});

function cellOf(name: string, value: unknown): string {
  if (name === 'resources') return JSON.stringify(value);
  return Array.isArray(value) ? value.join(' ') : String(value);
}

function exampleOf(schema: object): unknown {
  const examples: unknown = Reflect.get(schema, 'examples');
  if (!Array.isArray(examples)) throw new Error('every field has an example');
  return examples[0];
}
