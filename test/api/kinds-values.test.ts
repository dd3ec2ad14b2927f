import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ROOT_KEY } from '../support/instance.ts';
import { usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const hashOf = (key: string) => ({
  algorithm: 'sha256',
  value: createHash('sha256').update(key).digest('hex'),
});

describe('values', () => {
  const pair = usePair();
  const call = (method: string, url: string, body?: unknown) =>
    pair.first.call(method, url, { body });
  const create = (more: object) => call('POST', '/v1/keys', { name: 'x', ...more });

  it.each([
    'a\nb',
    'a\r\nb',
    'a\u2028b',
    'a\u202eb',
    'a\u2066b',
    '\u200b',
    '\u2060\ufeff',
    '\u3164',
  ])(
    'names, owners, resources and reasons that people cannot read as written are refused: %j',
    async (text) => {
      const { id } = await createKey(pair.first);
      const calls: [string, string, object][] = [
        ['POST', '/v1/keys', { name: text }],
        ['PATCH', `/v1/keys/${id}`, { ownerId: text }],
        ['PATCH', `/v1/keys/${id}`, { resources: [text] }],
        ['POST', `/v1/keys/${id}/revoke`, { reason: text }],
        ['PUT', '/v1/workspaces/named', { name: text }],
        ['POST', '/v1/management-keys', { name: text, permissions: ['keys:verify'] }],
      ];
      for (const [method, url, body] of calls) {
        expect(await call(method, url, body), `${method} ${url}`).toMatchObject({ status: 400 });
      }
    },
  );

  it('a description has lines, and names have any script and emoji', async () => {
    const texts = {
      name: '\u05e9\u05dc\u05d5\u05dd \u{1f468}\u200d\u{1f469}',
      description: 'a\n\tb',
    };
    expect(await create(texts)).toMatchObject({ status: 201, body: texts });
  });

  it('allowed addresses are shown as they are matched, each once', async () => {
    const given = ['::ffff:10.0.0.7/104', '10.9.9.9/8', '203.0.113.7', '2001:DB8:0::1/32'];
    const shown = ['10.0.0.0/8', '203.0.113.7', '2001:db8::/32'];
    const { body } = await create({ allowedIps: given });
    expect(body.allowedIps).toEqual(shown);
    const patched = await call('PATCH', `/v1/keys/${body.id}`, { allowedIps: given });
    expect(patched.body.allowedIps).toEqual(shown);
    expect((await create({ allowedIps: ['::ffff:10.0.0.0/90'] })).status).toBe(400);
  });

  it('a zone id in the address of a client is ignored', async () => {
    const { key } = await createKey(pair.first, { allowedIps: ['fe80::/10'] });
    const answer = await call('POST', '/v1/verify', { key, ip: 'fe80::1%eth0' });
    expect(answer.body.code).toBe('VALID');
  });

  it.each(['0x3', '1e1', '+3', '03', '%203', '3.0', ''])(
    'every list refuses limit=%s, which is not written as a decimal integer',
    async (limit) => {
      for (const list of ['keys', 'workspaces', 'management-keys', 'audit-events']) {
        const { status, body } = await call('GET', `/v1/${list}?limit=${limit}`);
        expect([list, status, body.errors[0]?.pointer]).toEqual([list, 400, '/query/limit']);
      }
    },
  );

  it('a workspace id that no path can reach is refused in every place', async () => {
    for (const id of ['.', '..']) {
      expect((await create({ workspaceId: id })).status).toBe(400);
      expect((await call('GET', `/v1/keys?workspaceId=${id}`)).status).toBe(400);
    }
    expect((await call('PUT', '/v1/workspaces/...', {})).status).toBe(201);
  });

  it('the root key is not taken as the id of a workspace', async () => {
    const answer = await call('PUT', `/v1/workspaces/${ROOT_KEY}`, {});
    expect([answer.status, answer.body.code]).toEqual([400, 'CONTAINS_KEY']);
  });

  it('an import answers each item on its own, and only a broken envelope fails it', async () => {
    const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`;
    const keys = [
      { name: 'good', hash: hashOf('good') },
      { name: 'x', hash: hashOf('scope'), scopes: ['a b'] },
      { name: '', hash: hashOf('name') },
      { name: 'x', hash: { ...hashOf('algorithm'), algorithm: 'md5' } },
      { name: 'x', hash: hashOf('deep'), metadata: 'DEEP' },
      7,
    ];
    const text = JSON.stringify({ keys }).replace('"DEEP"', deep);
    const { status, body } = await call('POST', '/v1/keys/import', text);
    expect([status, body.created, body.invalid]).toEqual([200, 1, 5]);
    const pointers = body.results.map(
      (one: { errors: { pointer: string }[] }) => one.errors[0]?.pointer,
    );
    expect(pointers.slice(0, 4)).toEqual([undefined, '/scopes/0', '/name', '/hash/algorithm']);
    expect(pointers[4]).toMatch(/^\/metadata\/a/);
    for (const broken of [{}, { keys: [] }, { keys, more: 1 }, { keys: 'x' }]) {
      expect((await call('POST', '/v1/keys/import', broken)).status).toBe(400);
    }
  });

  it('a query or a body that a call does not describe is refused by every call that needs a management key', async () => {
    const { paths } = (await pair.first.call('GET', '/openapi.json')).body;
    const { id } = await createKey(pair.first);
    for (const [path, item] of Object.entries<object>(paths)) {
      // Reports of leaks are answered alike, whatever they hold; OAuth ignores what it does not know.
      if (!/^\/v1\/(?!authorize|leaks|introspect)/.test(path)) continue;
      const url = path.replace('{id}', path.includes('/keys/') ? id : 'default');
      for (const method of Object.keys(item).map((name) => name.toUpperCase())) {
        const odd = await call(method, `${url}?unheardOf=1`, method === 'GET' ? undefined : {});
        expect([method, path, odd.status]).toEqual([method, path, 400]);
        if (method === 'GET') continue;
        const body = await call(method, url, { unheardOf: 1 });
        expect([method, path, body.status]).toEqual([method, path, 400]);
      }
    }
  });
});
