import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  allowedValues,
  bodySchema,
  type FieldSchema,
  fieldsOf,
  leastBody,
  shownFields,
} from '../support/described-calls.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

type Fields = Record<string, unknown>;

/** A body for each value of each field. */
function bodiesOf(schema: FieldSchema, least: object = leastBody(schema)): [string, object][] {
  return fieldsOf(schema).flatMap(([name, field]) =>
    allowedValues(field)
      .filter((value) => name !== 'workspaceId' || value === null || value === 'default')
      .map((value): [string, object] => [name, { ...least, [name]: value }]),
  );
}

let digests = 0;
const digest = () => ({
  algorithm: 'sha256',
  value: createHash('sha256').update(`round trip ${++digests}`).digest('hex'),
});

describe('what a read shows', () => {
  const pair = usePair();
  const schemas: Record<string, FieldSchema> = {};
  const call = (method: string, url: string, body?: unknown) =>
    pair.first.call(method, url, { body });

  beforeAll(async () => {
    const ids = ['createKey', 'updateKey', 'importKeys', 'putWorkspace', 'updateWorkspace'];
    for (const id of [...ids, 'createManagementKey', 'updateManagementKey']) {
      schemas[id] = await bodySchema(pair.second, id);
    }
  });
  const schemaOf = (id: string) => schemas[id] ?? {};

  /** A change to what is read already is accepted, and changes nothing. */
  async function expectNoChange(url: string, schema: FieldSchema, singly = false) {
    const before = await pair.second.call('GET', url);
    const same = shownFields(schema, before.body);
    const single = Object.entries(same).map(([name, value]) => ({ [name]: value }));
    for (const body of [same, {}, ...(singly ? single : [])]) {
      const answer = await call('PATCH', url, body);
      expect(answer, JSON.stringify(body)).toMatchObject({ status: 200, body: before.body });
      expect(answer.headers.etag, JSON.stringify(body)).toBe(before.headers.etag);
    }
  }

  async function expectImportable(shown: Fields) {
    const item = schemaOf('importKeys').properties?.keys?.items ?? {};
    const { start, ...given } = shownFields(item, shown);
    // Of a foreign key less is shown than of one whose prefix is long.
    const isShort = typeof start === 'string' && start.length <= 24;
    const keys = [{ ...given, ...(isShort && { start }), hash: digest() }];
    const { body } = await call('POST', '/v1/keys/import', { keys });
    expect(body, JSON.stringify(keys)).toMatchObject({ created: 1, invalid: 0 });
    const imported = (await call('GET', `/v1/keys/${body.results[0].keyId}`)).body;
    if (isShort) expect(imported.start).toBe(start);
    return imported;
  }

  it('every value of every field of a key can be created, imported and patched as a read shows it', async () => {
    const schema = schemaOf('createKey');
    const tried = new Set<string>();
    for (const [name, body] of bodiesOf(schema)) {
      const created = await call('POST', '/v1/keys', body);
      // Values that do not go with each other, such as a daily refill with a day of the month.
      if (created.status === 400) continue;
      tried.add(name);
      const { body: shown } = await call('GET', `/v1/keys/${created.body.id}`);
      const given = shownFields(schema, shown);
      expect(await call('POST', '/v1/keys', given)).toMatchObject({ status: 201, body: given });
      expect(await expectImportable(shown)).toMatchObject(given);
    }
    expect([...tried]).toEqual(fieldsOf(schema).map(([name]) => name));
  });

  it('a patch of a key to what it shows already changes nothing, whatever the key has', async () => {
    const full = fieldsOf(schemaOf('createKey')).map(([name, field]) => [
      name,
      allowedValues(field)[0],
    ]);
    const example = Object.fromEntries(full);
    const { expiresInSeconds: _, workspaceId: __, notBefore: ___, ...everything } = example;
    const refill = { interval: 'daily', amount: 5 };
    const credits = { remaining: 3, refill };
    for (const more of [{}, everything, { credits }, { credits: { remaining: 0 } }]) {
      const { id } = await createKey(pair.first, more);
      await expectNoChange(`/v1/keys/${id}`, schemaOf('updateKey'), true);
    }
  });

  it('a patch to what a key shows already is accepted also once the key has expired or the policies have changed', async () => {
    const workspaceId = 'stricter';
    await putWorkspace(pair.first, workspaceId);
    const inAYear = { workspaceId, scopes: ['a'], expiresInSeconds: 31_536_000 };
    const { id } = await createKey(pair.first, inAYear);
    const { id: endless } = await createKey(pair.first, { workspaceId });
    const { id: short } = await createKey(pair.first, { workspaceId, expiresInSeconds: 60 });
    await putWorkspace(pair.first, workspaceId, {
      immutableKeys: true,
      requireExpiry: true,
      maxLifetimeSeconds: 60,
      availableScopes: [{ scope: 'b', title: 'B', description: 'B' }],
      apiAccess: false,
      maxActiveKeys: 0,
    });
    pair.advance(120_000);
    for (const it of [id, endless, short]) {
      await expectNoChange(`/v1/keys/${it}`, schemaOf('updateKey'), true);
    }
  });

  it('every value of every field of a workspace can be put and patched as a read shows it', async () => {
    const schema = schemaOf('putWorkspace');
    for (const [name, body] of bodiesOf(schema)) {
      const answer = await call('PUT', '/v1/workspaces/shown', body);
      // Values that do not go with each other, such as an idle policy that disables before it warns.
      if (answer.status === 400 && name === 'idlePolicy') continue;
      expect(answer, name).toMatchObject({ body });
      const { body: shown } = await call('GET', '/v1/workspaces/shown');
      const given = shownFields(schema, shown);
      expect(await call('PUT', '/v1/workspaces/again', given)).toMatchObject({ body: given });
      await expectNoChange('/v1/workspaces/shown', schemaOf('updateWorkspace'));
      const put = await call('PUT', '/v1/workspaces/shown', given);
      expect(put).toMatchObject({ status: 200, body: shown });
    }
  });

  it('every value of every field of a management key can be created and patched as a read shows it', async () => {
    const schema = schemaOf('createManagementKey');
    for (const [name, body] of bodiesOf(schema)) {
      const { id } = (await call('POST', '/v1/management-keys', body)).body;
      expect(id, `${name}: ${JSON.stringify(body)}`).toBeDefined();
      const url = `/v1/management-keys/${id}`;
      const given = shownFields(schema, (await call('GET', url)).body);
      const again = await call('POST', '/v1/management-keys', given);
      expect(again).toMatchObject({ status: 201, body: given });
      await expectNoChange(url, schemaOf('updateManagementKey'));
    }
  });

  it('a patch of a management key to what it shows already is accepted once it has expired', async () => {
    const body = { name: 'short', permissions: ['keys:read'], expiresInSeconds: 60 };
    const { id } = (await call('POST', '/v1/management-keys', body)).body;
    pair.advance(120_000);
    await expectNoChange(`/v1/management-keys/${id}`, schemaOf('updateManagementKey'));
  });
});
