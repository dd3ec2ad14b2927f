import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ORIGIN, OTHER_ORIGIN } from './expectations.ts';
import { type Addresses, type GatewayProgram, type Installation, replaceOnce } from './gateway.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/caddy/', import.meta.url));
const OPTIONS = '{\n\tadmin off\n\tauto_https off\n}\n';

/** Blocks of an operator who makes mistakes. */
const MISTAKES = `
	handle /misspelt/* {
		import keyward "requireScopes=orders:read"
		reverse_proxy 127.0.0.1:3000
	}
	handle /forgotten/* {
		import keyward
		reverse_proxy 127.0.0.1:3000
	}
`;
const CORS = `\t\timport keyward_cors ${ORIGIN}\n`;
const ANY_KEY = '\t# Any valid key.';

export const caddy: GatewayProgram = {
  name: 'Caddy',
  path: process.env.KEYWARD_TEST_CADDY ?? '',
  statusWithoutKeyward: 502,
  install,
};

async function install(
  folder: string,
  managementKey: string,
  { keyward, api, port, trustedProxy }: Addresses,
): Promise<Installation> {
  const snippets = join(folder, 'keyward.caddy');
  await writeFile(snippets, await readFile(join(DEPLOY, 'keyward.caddy'), 'utf8'));
  let site = await readFile(join(DEPLOY, 'Caddyfile'), 'utf8');
  site = replaceOnce(site, '/etc/caddy/keyward.caddy', snippets);
  site = replaceOnce(site, 'http://api.example.com', `http://:${port}`);
  site = replaceOnce(site, CORS, CORS + CORS.replace(ORIGIN, OTHER_ORIGIN));
  site = replaceOnce(site, ANY_KEY, MISTAKES + ANY_KEY);
  site = site.replaceAll('127.0.0.1:3000', api);
  const config = join(folder, 'Caddyfile');
  await writeFile(config, OPTIONS + site);
  return {
    args: ['run', '--config', config, '--adapter', 'caddyfile'],
    env: {
      KEYWARD_KEY: managementKey,
      KEYWARD_ADDRESS: keyward,
      ...(trustedProxy === undefined ? {} : { KEYWARD_TRUSTED_PROXIES: trustedProxy }),
      HOME: folder,
      XDG_DATA_HOME: folder,
      XDG_CONFIG_HOME: folder,
    },
  };
}
