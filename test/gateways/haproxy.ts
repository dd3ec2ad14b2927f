import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ORIGIN, OTHER_ORIGIN } from './expectations.ts';
import { type Addresses, type GatewayProgram, type Installation, replaceOnce } from './gateway.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/haproxy/', import.meta.url));

/** Questions of an operator who makes mistakes. */
const MISTAKES = `
    http-request set-var(txn.keyward_require) str(requireScopes=orders:read) if { path_beg /misspelt/ }
    http-request set-var(txn.keyward_require) str() if { path_beg /forgotten/ }
`;
const ANY_KEY = '    # Any valid key:';
const SOCKET = 'abns@keyward';
const CORS = `    http-request set-var(txn.cors_origin) req.fhdr(Origin) if { req.fhdr(Origin) -m str ${ORIGIN} }\n`;
const TRUST = 'http-request set-src hdr_ip(X-Forwarded-For,-1) if { src';

export const haproxy: GatewayProgram = {
  name: 'HAProxy',
  path: process.env.KEYWARD_TEST_HAPROXY ?? '',
  statusWithoutKeyward: 503,
  install,
};

async function install(
  folder: string,
  managementKey: string,
  { keyward, api, port, trustedProxy }: Addresses,
): Promise<Installation> {
  const lua = join(folder, 'keyward.lua');
  const action = await readFile(join(DEPLOY, 'keyward.lua'), 'utf8');
  await writeFile(lua, replaceOnce(action, SOCKET, `${SOCKET}-${port}`));
  let site = await readFile(join(DEPLOY, 'haproxy.cfg'), 'utf8');
  site = replaceOnce(site, '/etc/haproxy/keyward.lua', lua);
  site = replaceOnce(site, 'bind :80', `bind 127.0.0.1:${port}`);
  site = replaceOnce(site, CORS, CORS + CORS.replaceAll(ORIGIN, OTHER_ORIGIN));
  site = replaceOnce(site, ANY_KEY, MISTAKES + ANY_KEY);
  site = replaceOnce(site, SOCKET, `${SOCKET}-${port}`);
  site = replaceOnce(site, '127.0.0.1:8080', keyward);
  site = replaceOnce(site, '127.0.0.1:3000', api);
  if (trustedProxy !== undefined) {
    site = replaceOnce(site, `# ${TRUST} 10.0.0.0/8 }`, `${TRUST} ${trustedProxy} }`);
  }
  const config = join(folder, 'haproxy.cfg');
  await writeFile(config, site);
  return {
    args: ['-db', '-f', config],
    env: { KEYWARD_KEY: managementKey },
  };
}
