import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { createKey } from '../support/sql-keys.ts';

const SPELLINGS: [string, (name: string) => string][] = [
  ['lower', (name) => name.toLowerCase()],
  ['upper', (name) => name.toUpperCase()],
  ['title', (name) => name.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase())],
];

/** Over a socket: headers keep the letters that they are written with. */
describe('the headers of a gateway', () => {
  let database: TestDatabase;
  let instance: Instance;
  let url: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url);
    url = await instance.service.app.listen({ host: '127.0.0.1', port: 0 });
    await instance.call('PUT', '/v1/workspaces/other', { body: {} });
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  /** Sends the headers line by line, repeated ones too. */
  const authorize = async (lines: [name: string, value: string][]) => {
    const sent = request(`${url}/v1/authorize`, { headers: ['Host', 'gateway', ...lines.flat()] });
    sent.end();
    const [answer]: IncomingMessage[] = await once(sent, 'response');
    answer?.resume();
    return `${answer?.statusCode} ${answer?.headers['x-keyward-code']}`;
  };

  describe.each(SPELLINGS)('in %s case', (letters, spell) => {
    const ask = (key: string, name: string, value: string) =>
      authorize([
        [spell('x-keyward-authorization'), `Bearer ${ROOT_KEY}; from=headers`],
        [spell('x-api-key'), key],
        [spell(name), value],
      ]);

    it.each([
      ['x-keyward-required-scopes', 'a', 'b', '403 INSUFFICIENT_SCOPE'],
      ['x-keyward-required-any-scope', 'a c', 'b c', '403 INSUFFICIENT_SCOPE'],
      ['x-keyward-resource', 'r', 's', '403 RESOURCE_NOT_ALLOWED'],
      ['x-keyward-cost', '0', '11', '429 CREDITS_EXHAUSTED'],
      ['x-keyward-workspace-id', 'default', 'other', '401 NOT_FOUND'],
    ])(
      `the header %s in ${letters} case decides what is asked of the key`,
      async (name, fitting, other, refusal) => {
        const body = { scopes: ['a'], resources: ['r'], credits: { remaining: 10 } };
        const { key } = await createKey(instance, body);
        expect(await ask(key, name, fitting)).toBe('200 VALID');
        expect(await ask(key, name, other)).toBe(refusal);
      },
    );

    it(`the header x-keyward-ip in ${letters} case says where the client is`, async () => {
      const { key } = await createKey(instance, { allowedIps: ['203.0.113.7'] });
      expect(await ask(key, 'x-keyward-ip', '203.0.113.7')).toBe('200 VALID');
      expect(await ask(key, 'x-keyward-ip', '203.0.113.8')).toBe('403 IP_NOT_ALLOWED');
    });

    it(`the header x-keyward-mode in ${letters} case says that the gateway is an nginx`, async () => {
      const { key } = await createKey(instance, { credits: { remaining: 0 } });
      expect(await ask(key, 'x-keyward-mode', 'nginx')).toBe('403 CREDITS_EXHAUSTED');
    });
  });

  it('a parameter of a gateway in several header lines is read from all of them, in any letter case', async () => {
    const { key } = await createKey(instance, { scopes: ['a'], resources: ['r'] });
    const gateway: [string, string][] = [
      ['x-keyward-authorization', `Bearer ${ROOT_KEY}`],
      ['x-api-key', key],
    ];
    const twice = (name: string, values: [string, string]) =>
      authorize([...gateway, [name, values[0]], [name.toUpperCase(), values[1]]]);
    expect(await twice('x-keyward-required-scopes', ['a', 'b'])).toBe('403 INSUFFICIENT_SCOPE');
    expect(await twice('x-keyward-required-scopes', ['b', 'a'])).toBe('403 INSUFFICIENT_SCOPE');
    expect(await twice('x-keyward-resource', ['r', 's'])).toBe('400 INVALID_REQUEST');
    expect(await twice('x-keyward-resource', ['r', 'r'])).toBe('200 VALID');
  });

  it('the scheme of a gateway credential and `from` are accepted in any letter case', async () => {
    const { key } = await createKey(instance, { allowedIps: ['203.0.113.7'] });
    for (const credential of [
      `bearer ${ROOT_KEY}; from=headers`,
      `BEARER ${ROOT_KEY};FROM=Headers`,
    ]) {
      const lines: [string, string][] = [
        ['x-keyward-authorization', credential],
        ['x-api-key', key],
        ['x-keyward-ip', '203.0.113.7'],
      ];
      expect(await authorize(lines)).toBe('200 VALID');
    }
  });
});
