import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { callOverHttp } from '../history/harness/http-call.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { startNginx } from './nginx.ts';
import { answers, startUpstream } from './upstreams.ts';

/** deploy/nginx/keyward-by-prefix.conf with the real nginx, beside the files that protect an API. */
const NGINX = process.env.KEYWARD_TEST_NGINX ?? '';
const DEPLOY = fileURLToPath(new URL('../../deploy/nginx/', import.meta.url));
const INSTALLED = '/etc/nginx/keyward/';

async function openSite() {
  const folder = await temporaryFolder('keyward-by-prefix-');
  const [us, eu, api] = [
    await startUpstream(0, answers),
    await startUpstream(1, answers),
    await startUpstream(2, answers),
  ];
  const port = await freePort();
  const put = async (name: string, changes: Record<string, string>, as = name) => {
    let text = await readFile(join(DEPLOY, name), 'utf8');
    for (const [from, to] of Object.entries(changes)) {
      expect(text).toContain(from);
      text = text.replaceAll(from, to);
    }
    await writeFile(join(folder, as), text.replaceAll(INSTALLED, `${folder}/`));
  };
  await put('keyward-http.conf', {});
  await put('keyward-protect.conf', {});
  await put('keyward-server.conf', { 'http://keyward/v1': 'http://$keyward_group/v1' });
  await put(
    'keyward-key.conf.example',
    { '"kw_REPLACE_ME"': '$keyward_group_key' },
    'keyward-key.conf',
  );
  await put('keyward-by-prefix.conf', {
    '10.1.0.11:8080': `127.0.0.1:${us.port}`,
    '10.2.0.11:8080': `127.0.0.1:${eu.port}`,
  });
  await put(
    'keyward.conf',
    {
      'include /etc/nginx/keyward/keyward-http.conf;': `include ${folder}/keyward-http.conf; include ${folder}/keyward-by-prefix.conf;`,
      'server 127.0.0.1:3000;': `server 127.0.0.1:${api.port};`,
      'listen 80;': `listen 127.0.0.1:${port};`,
    },
    'site.conf',
  );
  const nginx = await startNginx(NGINX, folder, port);
  onTestFinished(() => nginx.end());
  const agent = new Agent();
  const send = (headers: Record<string, string>) =>
    callOverHttp({ port, agent, timeoutMs: 10_000 }, 'GET', '/reports/1', headers);
  return { us, eu, send };
}

const EUROPEAN: Record<string, string>[] = [
  { authorization: 'Bearer eu_live_abc' },
  { authorization: 'bearer  eu_live_abc' },
  { 'x-api-key': 'eu_abc' },
  { 'x-api-key': 'eu_abc', authorization: 'Bearer us_abc' },
];
const OTHERS: Record<string, string>[] = [
  { authorization: 'Bearer us_live_abc' },
  { authorization: 'Bearer europe_abc' },
  { 'x-api-key': 'us_abc', authorization: 'Bearer eu_abc' },
  { authorization: 'Basic eu_abc' },
  {},
];

describe.runIf(NGINX !== '')('groups of workspaces behind nginx', () => {
  it.each(EUROPEAN)(
    'a key with the prefix of a group is judged by the Keyward of that group, with its credential: %o',
    async (headers) => {
      const { us, eu, send } = await openSite();
      expect((await send(headers)).status).toBe(200);
      expect(us.received).toEqual([]);
      const [asked] = eu.received;
      expect(asked?.headers['x-keyward-authorization']).toMatch(/^Bearer kw_REPLACE_ME_EU;/);
    },
  );

  it.each(OTHERS)(
    'what has no prefix of another group goes to the default one: %o',
    async (headers) => {
      const { us, eu, send } = await openSite();
      await send(headers);
      expect(eu.received).toEqual([]);
      const [asked] = us.received;
      expect(asked?.headers['x-keyward-authorization']).toMatch(/^Bearer kw_REPLACE_ME_US;/);
    },
  );
});
