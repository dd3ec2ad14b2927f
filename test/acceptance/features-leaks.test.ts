import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  at,
  makeKey,
  ok,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';

/** One test for each call: docs/features.md names them. */
let program: SharedProgram;
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
beforeAll(async () => {
  const key = publicKey.export({ type: 'spki', format: 'pem' });
  const list = JSON.stringify({ public_keys: [{ key_identifier: 'of-github', key }] });
  const page = createServer((_request, response) => void response.end(list));
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  const { port } = Object(page.address());
  program = await startSharedProgram({
    KEYWARD_LEAK_REPORTS: 'on',
    KEYWARD_GITHUB_KEYS_URL: `http://127.0.0.1:${port}/`,
  });
  return async () => {
    page.close();
    await program.end();
  };
});

const post = async (path: string, body: string, headers: Record<string, string> = {}) => {
  const type = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers: { ...type, ...headers }, body };
  const response = await fetch(program.url + path, init);
  return [response.status, await response.text()];
};
const statusOf = async (id: string) => (await ok(program.root.GET('/v1/keys/{id}', at(id)))).status;
const untilRevoked = (id: string) => expect.poll(() => statusOf(id)).toBe('revoked');

describe('reports of leaks, call by call', () => {
  it('reportLeaks revokes a key that anyone has found, and tells nobody what it was worth', async () => {
    const { id, key } = await makeKey(program.root);
    for (const text of [key, 'no key']) {
      const body = JSON.stringify({ keys: [{ key: text, url: 'https://example.com/' }] });
      expect(await post('/v1/leaks', body)).toEqual([202, '']);
    }
    await untilRevoked(id);
  });

  it('reportLeaksByGithub revokes a key in a report that GitHub signed, and in no other', async () => {
    const { id, key } = await makeKey(program.root);
    const body = JSON.stringify([{ type: 'api_key', token: key, url: '', source: 'content' }]);
    const signature = sign('sha256', Buffer.from(body), privateKey).toString('base64');
    const headers = {
      'github-public-key-identifier': 'of-github',
      'github-public-key-signature': signature,
    };
    const [status] = await post('/v1/leaks/github', body.replace(key, 'another'), headers);
    expect([status, await statusOf(id)]).toEqual([401, 'active']);
    expect(await post('/v1/leaks/github', body, headers)).toEqual([202, '']);
    await untilRevoked(id);
  });
});
