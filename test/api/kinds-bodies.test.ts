import { describe, expect, it } from 'vitest';
import { describedCalls } from '../support/described-calls.ts';
import type { Answer } from '../support/instance.ts';
import { usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';
import { nestedJson } from '../support/unacceptable.ts';

const MAX_CREDITS = 1_000_000_000_000;
const names = (count: number, prefix: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, 1]));
const pointerOf = ({ body }: Answer) => body.errors[0]?.pointer;

describe('bodies', () => {
  const pair = usePair();
  const call = (method: string, url: string, body?: unknown, headers = {}) =>
    pair.first.call(method, url, { body, headers });
  const read = async (id: string) => (await call('GET', `/v1/keys/${id}`)).body;

  it('every call with a body refuses one that is nested 5,000 deep with 400 and a pointer', async () => {
    const { id } = await createKey(pair.first);
    const deep = nestedJson(5000);
    const calls: [string, string, string][] = [
      ['POST', '/v1/keys', `{"name":"x","metadata":${deep}}`],
      ['POST', '/v1/keys', `{"name":"x","scopes":[${deep},${deep}]}`],
      ['PATCH', `/v1/keys/${id}`, `{"metadata":${deep}}`],
      ['POST', `/v1/keys/${id}/credits`, deep],
      ['POST', `/v1/keys/${id}/revoke`, deep],
      ['POST', '/v1/keys/bulk-revoke', deep],
      ['POST', '/v1/verify', deep],
      ['POST', '/v1/management-keys', deep],
      ['PUT', '/v1/workspaces/deep', deep],
      ['POST', '/v1/workspaces/default/suspend', deep],
    ];
    for (const [method, url, body] of calls) {
      const answer = await call(method, url, body);
      expect(answer, `${method} ${url}`).toMatchObject({ status: 400 });
      expect(pointerOf(answer)).toMatch(/^\/body\//);
    }
  });

  it('every call that needs no body takes an empty one of the type JSON for none', async () => {
    const calls = (await describedCalls(pair.first)).filter(
      ({ method, body }) => method !== 'GET' && !body?.required?.length,
    );
    expect(calls.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['revokeKey', 'deleteKey', 'suspendWorkspace', 'endGrace']),
    );
    for (const { method, path } of calls.filter(({ path }) => !path.endsWith('/workspaces/{id}'))) {
      const url = path.replace(/\{\w+\}/g, 'key_0000000000000000000000');
      const [none, empty] = [await call(method, url), await call(method, url, '')];
      const outcomeOf = ({ status, body }: Answer) => (status < 300 ? 'done' : body.code);
      expect(outcomeOf(empty), `${method} ${path}`).toBe(outcomeOf(none));
    }
    const { id } = await createKey(pair.first);
    expect(await call('POST', `/v1/keys/${id}/revoke`, '')).toMatchObject({ status: 200 });
    expect(await call('DELETE', `/v1/keys/${id}`, '')).toMatchObject({ status: 204 });
  });

  it('a body in which an object has a name twice is refused as MALFORMED_JSON, whichever value it would have', async () => {
    const { id, key } = await createKey(pair.first);
    const calls: [string, string, string][] = [
      ['POST', '/v1/keys', '{"name":"x","scopes":["read"],"scopes":["admin:*"]}'],
      ['PATCH', `/v1/keys/${id}`, '{"metadata":{"a":1,"a":1}}'],
      ['POST', '/v1/verify', `{"key":"${key}","requiredScopes":["a"],"requiredScopes":[]}`],
      ['POST', '/v1/verify/batch', `{"requests":[{"key":"x","key":"${key}"}]}`],
      [
        'POST',
        '/v1/keys/import',
        `{"keys":[{"name":"${'x'.repeat(70_000)}"},{"name":"a","name":"b"}]}`,
      ],
    ];
    for (const [method, url, body] of calls) {
      expect(await call(method, url, body), url).toMatchObject({
        status: 400,
        body: { code: 'MALFORMED_JSON' },
      });
    }
  });

  it('a metadata name __proto__ is refused by its pointer, and constructor is a name like others', async () => {
    const refused = await call('POST', '/v1/keys', '{"name":"x","metadata":{"__proto__":1}}');
    expect(refused).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect(pointerOf(refused)).toBe('/body/metadata/__proto__');
    const metadata = { constructor: { prototype: 1 } };
    const { id } = await createKey(pair.first, { metadata });
    expect((await read(id)).metadata).toEqual(metadata);
  });

  it('no change brings the metadata of a key beyond 64 names', async () => {
    const { id } = await createKey(pair.first, { metadata: names(64, 'a') });
    const added = await call('PATCH', `/v1/keys/${id}`, { metadata: { more: 1 } });
    expect(added).toMatchObject({ status: 400 });
    expect(pointerOf(added)).toBe('/body/metadata');
    const swapped = { a0: null, more: 1 };
    expect((await call('PATCH', `/v1/keys/${id}`, { metadata: swapped })).status).toBe(200);
  });

  it('no change brings a balance beyond what a patch accepts', async () => {
    const { id } = await createKey(pair.first, { credits: { remaining: MAX_CREDITS } });
    const added = await call('POST', `/v1/keys/${id}/credits`, { operation: 'add', amount: 1 });
    expect(added).toMatchObject({ status: 400 });
    expect(pointerOf(added)).toBe('/body/amount');
    expect((await read(id)).credits.remaining).toBe(MAX_CREDITS);
  });

  it('an integer beyond 2^53 in metadata is refused, at its pointer, by a creation and a patch', async () => {
    const { id } = await createKey(pair.first);
    for (const number of ['9007199254740993', '-9007199254740993', '1e300']) {
      const created = await call('POST', '/v1/keys', `{"name":"x","metadata":{"a":[${number}]}}`);
      const patched = await call('PATCH', `/v1/keys/${id}`, `{"metadata":{"a":[${number}]}}`);
      for (const answer of [created, patched]) {
        expect(answer.status).toBe(400);
        expect(pointerOf(answer)).toBe('/body/metadata/a/0');
      }
    }
    expect((await createKey(pair.first, { metadata: { a: 9007199254740991 } })).id).toMatch(
      /^key_/,
    );
  });

  it('what a read of a key shows of a field, a creation and a patch accept', async () => {
    const { components } = (await pair.first.call('GET', '/openapi.json')).body;
    const fields = Object.keys(components.schemas.CreateKeyRequest.properties);
    const refill = { interval: 'daily', amount: 5 };
    for (const more of [
      {},
      {
        credits: { remaining: 3, refill },
        rateLimits: [{ name: 'a', limit: 1, windowSeconds: 1 }],
      },
    ]) {
      const shown = await read((await createKey(pair.first, more)).id);
      const given = Object.fromEntries(
        fields.filter((name) => name in shown).map((name) => [name, shown[name]]),
      );
      const again = await call('POST', '/v1/keys', given);
      expect(again).toMatchObject({ status: 201, body: given });
      const { workspaceId: _, prefix: __, ...changes } = given;
      const patched = await call('PATCH', `/v1/keys/${shown.id}`, changes);
      expect(patched).toMatchObject({ status: 200, body: given });
    }
  });

  it('an empty change is answered 200 and changes nothing, with or without a body', async () => {
    const { id } = await createKey(pair.first, { credits: { remaining: 5 } });
    const before = await pair.first.call('GET', `/v1/keys/${id}`);
    for (const body of [{}, undefined]) {
      const answer = await call('PATCH', `/v1/keys/${id}`, body);
      expect(answer).toMatchObject({ status: 200, body: before.body });
      expect(answer.headers.etag).toBe(before.headers.etag);
      expect((await call('PATCH', '/v1/workspaces/default', body)).status).toBe(200);
    }
  });

  it('a change of credits keeps what it leaves out, and a null refill ends the refill', async () => {
    const refill = { interval: 'monthly', amount: 100, dayOfMonth: 15 };
    const { id } = await createKey(pair.first, { credits: { remaining: 7, refill } });
    const changed = async (credits: object) =>
      (await call('PATCH', `/v1/keys/${id}`, { credits })).body.credits;
    expect(await changed({ remaining: 50 })).toMatchObject({ remaining: 50, refill });
    expect(await changed({})).toMatchObject({ remaining: 50, refill });
    expect(await changed({ refill: { interval: 'monthly', amount: 9 } })).toMatchObject({
      remaining: 50,
      refill: { amount: 9, dayOfMonth: 15 },
    });
    expect(await changed({ refill: null })).toEqual({ remaining: 50, refill: null });
  });

  it('a body in another encoding than UTF-8 is 415, and broken UTF-8 is 400', async () => {
    const send = (contentType: string, payload: Buffer, more = {}) =>
      pair.first.service.app.inject({
        method: 'PUT',
        url: '/v1/workspaces/encoded',
        headers: {
          authorization: 'Bearer root-key-of-the-tests-0123456789abcdef',
          'content-type': contentType,
          ...more,
        },
        payload,
      });
    const body = Buffer.from('{"name":"\u00e9"}', 'latin1');
    const good = Buffer.from('{"name":"\u00e9"}');
    for (const charset of ['iso-8859-1', '"ISO-8859-1"', 'utf-16', 'utf-8; charset=latin1']) {
      expect((await send(`application/json; charset=${charset}`, good)).statusCode).toBe(415);
    }
    expect((await send('application/json', good, { 'content-encoding': 'gzip' })).statusCode).toBe(
      415,
    );
    const broken = await send('application/json', body);
    expect([broken.statusCode, broken.json().code]).toEqual([400, 'MALFORMED_JSON']);
    expect((await send('application/json; charset="UTF-8"', good)).json().name).toBe('\u00e9');
  });

  it('a method that a path does not have is 405 with Allow, whatever the body', async () => {
    for (const [method, url, type, body] of [
      ['POST', '/v1/verify/batch/', 'application/json', '{'],
      ['PUT', '/v1/keys', 'application/json', '{'],
      ['DELETE', '/v1/keys', 'application/json', ''],
      ['PATCH', '/v1/verify', 'text/plain', 'x'],
      ['PUT', '/v1/keys/key_0000000000000000000000', 'application/json', '{'],
    ] as const) {
      const answer = await call(method, url, body, { 'content-type': type });
      const isThere = !url.endsWith('/');
      expect([url, answer.status]).toEqual([url, isThere ? 405 : 404]);
      if (isThere) expect(answer.headers.allow).toMatch(/^[A-Z, ]+$/);
    }
  });
});
