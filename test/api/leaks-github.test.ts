import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { alertsOf, outcomes, untilHandled } from '../support/leaks.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const HOUR_MS = 3_600_000;
const PATH = '/v1/leaks/github';
const newPair = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
type KeyPair = ReturnType<typeof newPair>;

/** The page of the public keys, which counts who reads it. */
class KeysPage {
  reads = 0;
  answer: RequestListener = (_request, response) => void response.end('{}');
  readonly server = createServer((request, response) => {
    this.reads++;
    this.answer(request, response);
  });

  lists(keys: Record<string, KeyPair>, others: object[] = []): void {
    const public_keys = Object.entries(keys).map(([key_identifier, { publicKey }]) => {
      const key = publicKey.export({ type: 'spki', format: 'pem' });
      return { key_identifier, key, is_current: true };
    });
    const list = { public_keys: [...others, ...public_keys] };
    this.answer = (_request, response) => void response.end(JSON.stringify(list));
  }
}

describe('reports that GitHub signs', () => {
  const page = new KeysPage();
  const known = newPair();
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    page.server.listen(0, '127.0.0.1');
    await once(page.server, 'listening');
    const { port } = Object(page.server.address());
    database = await createTestDatabase();
    const githubKeysUrl = `http://127.0.0.1:${port}/keys`;
    instance = await launch(database.url, { leakReports: true, githubKeysUrl });
  });
  beforeEach(() => {
    page.lists({ known });
    page.reads = 0;
    // What an earlier test has read is old, and may be read again.
    instance.advance(HOUR_MS);
  });
  afterAll(async () => {
    page.server.closeAllConnections();
    page.server.close();
    await instance.stop();
    await database.drop();
  });

  const signedBy = (body: string, { privateKey }: KeyPair, id = 'known') => ({
    'Github-Public-Key-Identifier': id,
    'Github-Public-Key-Signature': sign('sha256', Buffer.from(body), privateKey).toString('base64'),
  });
  const post = (body: string, headers: Record<string, string>) =>
    instance.call('POST', PATH, { as: null, body, headers });
  const statusOf = async (body: string, headers: Record<string, string>) =>
    (await post(body, headers)).status;

  it('a report with the signature of GitHub revokes its keys and is alerted of with where they were found', async () => {
    const [one, other] = [await createKey(instance), await createKey(instance)];
    const url = 'https://github.com/acme/app/blob/main/config.js';
    const found = [one, other].map(({ key }) => ({
      ...{ type: 'keyward_api_key', token: key, url, source: 'content' },
    }));
    const body = JSON.stringify(found, null, 2);
    const { status, text } = await post(body, signedBy(body, known));
    expect([status, text]).toEqual([202, '']);
    await untilHandled(instance);
    for (const { id, key } of [one, other]) {
      expect(await verdict(instance, key)).toBe('REVOKED');
      const details = { response: 'revoked', reportedBy: 'github', url, source: 'content' };
      expect(await alertsOf(database.url, id)).toMatchObject([{ details }]);
    }
  });

  it('a report whose signature is not that of its bytes is refused, and changes nothing', async () => {
    const { key } = await createKey(instance);
    const body = JSON.stringify([{ type: 'a', token: key, url: '', source: '' }]);
    const signed = signedBy(body, known);
    expect(await statusOf(`${body} `, signed)).toBe(401);
    expect(await statusOf(body, signedBy(body, newPair()))).toBe(401);
    const signature = Buffer.from('no signature').toString('base64');
    const forgedHeader = { ...signed, 'Github-Public-Key-Signature': signature };
    expect(await statusOf(body, forgedHeader)).toBe(401);
    const { reported } = await outcomes(instance);
    expect(await verdict(instance, key)).toBe('VALID');
    expect(await statusOf(body, signed)).toBe(202);
    expect((await outcomes(instance)).reported).toBe(reported + 1);
  });

  it('a report without a signature, or with one that has no form, is refused before its body is read', async () => {
    const signed = signedBy('[]', known);
    for (const [name, value] of [
      ['Github-Public-Key-Identifier', ''],
      ['Github-Public-Key-Identifier', 'a key'],
      ['Github-Public-Key-Signature', ''],
      ['Github-Public-Key-Signature', 'not base64!'],
      ['Github-Public-Key-Signature', 'A'.repeat(1000)],
    ] as const) {
      const { status, body } = await post('not even JSON', { ...signed, [name]: value });
      expect([status, body.code]).toEqual([401, 'UNAUTHENTICATED']);
    }
    expect(await statusOf('[]', {})).toBe(401);
    expect(page.reads).toBe(0);
  });

  it('a signed body that is no list is received, and one that is not JSON is refused', async () => {
    for (const body of ['{}', 'null', '[null, 1, {"token": 2}]']) {
      expect(await statusOf(body, signedBy(body, known))).toBe(202);
    }
    expect(await statusOf('[', signedBy('[', known))).toBe(400);
    const large = `[${' '.repeat(65_536)}]`;
    expect(await statusOf(large, signedBy(large, known))).toBe(413);
  });

  it('the keys are read once an hour, however many reports come at once', async () => {
    const signed = signedBy('[]', known);
    const all = await Promise.all(Array.from({ length: 8 }, () => statusOf('[]', signed)));
    expect(new Set(all)).toEqual(new Set([202]));
    expect(page.reads).toBe(1);
    instance.advance(HOUR_MS - 1000);
    expect(await statusOf('[]', signed)).toBe(202);
    expect(page.reads).toBe(1);
    instance.advance(1000);
    expect(await statusOf('[]', signed)).toBe(202);
    expect(page.reads).toBe(2);
  });

  it('a key that is not known is looked for at most once a minute, and found when GitHub has it', async () => {
    const next = newPair();
    expect(await statusOf('[]', signedBy('[]', known))).toBe(202);
    page.lists({ known, next });
    const ask = () => statusOf('[]', signedBy('[]', next, 'next'));
    expect([await ask(), await ask()]).toEqual([401, 401]);
    expect(page.reads).toBe(1);
    instance.advance(60_000);
    const asked = await Promise.all([ask(), ask()]);
    expect(asked).toEqual([202, 202]);
    expect(page.reads).toBe(2);
    page.lists({ next });
    instance.advance(HOUR_MS);
    expect(await ask()).toBe(202);
    expect(await statusOf('[]', signedBy('[]', known))).toBe(401);
  });

  it('a key of another kind than ECDSA on P-256 signs nothing', async () => {
    const other = newPair('P-384');
    page.lists({ known, other });
    expect(await statusOf('[]', signedBy('[]', other, 'other'))).toBe(401);
    expect(await statusOf('[]', signedBy('[]', known))).toBe(202);
  });

  it('a listed key that cannot be read spoils none of the others', async () => {
    const young = newPair();
    page.lists({ known, young }, [{ key_identifier: 'later', key: 'of a kind to come' }]);
    expect(await statusOf('[]', signedBy('[]', young, 'young'))).toBe(202);
  });

  it.each<[string, RequestListener]>([
    ['are refused', (_request, response) => void response.writeHead(500).end('{}')],
    ['hang up', (request) => void request.socket.destroy()],
    ['are no JSON', (_request, response) => void response.end('<html>')],
    ['have another form', (_request, response) => void response.end('{"public_keys":[{}]}')],
    [
      'are no keys',
      (_request, response) =>
        void response.end('{"public_keys":[{"key_identifier":"known","key":"none"}]}'),
    ],
    [
      'are elsewhere',
      (_request, response) => void response.writeHead(302, { location: '/other' }).end(),
    ],
    ['are huge', (_request, response) => void response.end(`"${'x'.repeat(300_000)}"`)],
    ['never come', () => {}],
    [
      'have no end',
      (_request, response) => {
        const timer = setInterval(() => response.write(' '), 50);
        response.once('close', () => clearInterval(timer));
      },
    ],
  ])(
    'an instance whose page of keys %s refuses a report with 503, and goes on with the keys that it knows',
    async (how, answer) => {
      page.answer = answer;
      const fresh = newPair();
      const id = `fresh-${how.replaceAll(' ', '-')}`;
      const unknown = signedBy('[]', fresh, id);
      const { status, headers, body } = await post('[]', unknown);
      expect([status, headers['retry-after'], body.code]).toEqual([503, '1', 'UNAVAILABLE']);
      expect(await statusOf('[]', signedBy('[]', known))).toBe(202);
      expect(page.reads).toBe(1);
      page.lists({ known, [id]: fresh });
      instance.advance(60_000);
      expect(await statusOf('[]', unknown)).toBe(202);
    },
  );
});
