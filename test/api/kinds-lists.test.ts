import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { bodySchema, type FieldSchema, fieldsOf } from '../support/described-calls.ts';
import { usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { nestedJson, unacceptableValues } from '../support/unacceptable.ts';

/** The JSON of items that are wrong: in each field, in an unknown one, and as a whole. */
function badItems(schema: FieldSchema, good: object): string[] {
  const fields = fieldsOf(schema).flatMap(([name, field]) =>
    unacceptableValues(field).map((value) => textOf(good, name, value)),
  );
  const wholes = ['null', '7', '"text"', '[]', '{}', 'true', nestedJson(5000)];
  const names = ['unheardOf', '__proto__', 'constructor'].map((name) => textOf(good, name, '1'));
  return [...fields, ...names, ...wholes];
}

/** The object with this value in the field, which it need not have had. */
function textOf(object: object, name: string, value: string): string {
  const others = Object.entries(object).filter(([other]) => other !== name);
  const fields = others.map(([other, its]) => `${JSON.stringify(other)}:${JSON.stringify(its)}`);
  return `{${[...fields, `${JSON.stringify(name)}:${value}`].join()}}`;
}

let digests = 0;
const newHash = () => ({
  algorithm: 'sha256',
  value: createHash('sha256').update(`listed ${++digests}`).digest('hex'),
});

describe('calls that take a list', () => {
  const pair = usePair();
  let key: { id: string; key: string };
  beforeAll(async () => {
    key = await createKey(pair.first);
  });

  const inEnvelope = async (id: string, list: string, items: readonly string[], url: string) => {
    const text = `{"${list}":[${items.join()}]}`;
    const { status, body } = await pair.first.call('POST', url, { body: text });
    expect([id, status]).toEqual([id, 200]);
    return body;
  };
  const itemOf = async (id: string, list: string) =>
    (await bodySchema(pair.first, id)).properties?.[list]?.items ?? {};

  it('no item of a batch, whatever is wrong with it, affects the verdict on another', async () => {
    const good = { key: key.key };
    const bad = badItems(await itemOf('verifyKeys', 'requests'), good);
    for (let from = 0; from < bad.length; from += 49) {
      const some = bad.slice(from, from + 49);
      const items = [...some.flatMap((it) => [JSON.stringify(good), it]), JSON.stringify(good)];
      const { results } = await inEnvelope('batch', 'requests', items, '/v1/verify/batch');
      results.forEach((result: { code: string; valid: boolean; errors: object[] }, at: number) => {
        if (at % 2 === 0) expect(result).toMatchObject({ code: 'VALID', errors: [] });
        else expect(result, items[at]?.slice(0, 300)).toMatchObject({ valid: false });
        if (at % 2 === 1 && result.code !== 'NOT_FOUND') expect(result.errors).not.toEqual([]);
      });
    }
  });

  it('no item of an import, whatever is wrong with it, keeps another out', async () => {
    const bad = badItems(await itemOf('importKeys', 'keys'), { name: 'bad', hash: newHash() });
    const listsKey = JSON.stringify({ name: `has ${key.key}`, hash: newHash() });
    const items = [...bad, listsKey].flatMap((it) => [
      JSON.stringify({ name: 'good', hash: newHash() }),
      it,
    ]);
    const body = await inEnvelope('import', 'keys', items, '/v1/keys/import');
    body.results.forEach((result: { status: string; errors: object[] }, at: number) => {
      const expected = at % 2 === 0 ? 'created' : 'invalid';
      expect(result, items[at]?.slice(0, 300)).toMatchObject({ status: expected });
      if (expected === 'invalid') expect(result.errors).not.toEqual([]);
    });
  });

  it('no id of a bulk revocation, whatever is wrong with it, keeps another key valid', async () => {
    const schema = await itemOf('bulkRevokeKeys', 'ids');
    const unknown = `"key_${'0'.repeat(22)}"`;
    const bad = [...unacceptableValues(schema), unknown, '{"a":1}', nestedJson(5000)];
    for (const item of [...bad, 'SAME']) {
      const { id, key: text } = await createKey(pair.first);
      const items = [item === 'SAME' ? `"${id}"` : item, `"${id}"`];
      const url = '/v1/keys/bulk-revoke';
      const body = await inEnvelope('bulk-revoke', 'ids', items, url);
      expect(body.keyIds, item.slice(0, 300)).toEqual([id]);
      expect(await verdict(pair.second, text)).toBe('REVOKED');
      const isOneOfNone = item === unknown || item === 'SAME';
      expect(body.errors).toEqual(isOneOfNone ? [] : [expect.objectContaining({})]);
      if (!isOneOfNone) expect(body.errors[0].pointer).toMatch(/^\/ids\/0/);
    }
  });
});
