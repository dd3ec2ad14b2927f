import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ORIGIN, OTHER_ORIGIN } from './expectations.ts';
import { type Addresses, type GatewayProgram, type Installation, replaceOnce } from './gateway.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/nginx/', import.meta.url));
const INSTALLED = '/etc/nginx/keyward/';

/** Locations of an operator who makes mistakes. */
const MISTAKES = `
    location /misspelt/ {
        set $keyward_require "requireScopes=orders:read";
        include ${INSTALLED}keyward-protect.conf;
        proxy_pass http://api/;
    }
    location /forgotten/ {
        include ${INSTALLED}keyward-protect.conf;
        proxy_pass http://api/;
    }
`;
const ANY_KEY = '    # Any valid key.';
const NO_ORIGIN = `# "${ORIGIN}" $http_origin;`;
const ORIGINS = [ORIGIN, OTHER_ORIGIN].map((origin) => `"${origin}" $http_origin;`).join('\n');

export const nginx: GatewayProgram = {
  name: 'nginx',
  path: process.env.KEYWARD_TEST_NGINX ?? '',
  statusWithoutKeyward: 503,
  install,
};

async function install(
  folder: string,
  managementKey: string,
  at: Addresses,
): Promise<Installation> {
  const put = async (name: string, change: (text: string) => string, as = name) => {
    const text = change(await readFile(join(DEPLOY, name), 'utf8'));
    await writeFile(join(folder, as), text.replaceAll(INSTALLED, `${folder}/`));
  };
  await put('keyward-server.conf', (text) => text);
  await put('keyward-protect.conf', (text) => text);
  await put('keyward-http.conf', (text) => replaceOnce(text, NO_ORIGIN, ORIGINS));
  const withKey = (text: string) => replaceOnce(text, 'kw_REPLACE_ME', managementKey);
  await put('keyward-key.conf.example', withKey, 'keyward-key.conf');
  await put('keyward.conf', (text) => siteAt(text, at));
  await writeFile(join(folder, 'nginx.conf'), frame(folder));
  await mkdir(join(folder, 'temp'));
  return { args: ['-p', folder, '-c', join(folder, 'nginx.conf')], env: {} };
}

function siteAt(text: string, { keyward, api, port, trustedProxy }: Addresses): string {
  let site = trustedProxy === undefined ? text : trusting(text, trustedProxy);
  site = replaceOnce(site, 'server 127.0.0.1:8080;', `server ${keyward};`);
  site = replaceOnce(site, 'server 127.0.0.1:3000;', `server ${api};`);
  site = replaceOnce(site, 'listen 80;', `listen 127.0.0.1:${port};`);
  return replaceOnce(site, ANY_KEY, MISTAKES + ANY_KEY);
}

function trusting(text: string, proxy: string): string {
  const header = 'real_ip_header X-Forwarded-For;';
  const site = replaceOnce(text, '# set_real_ip_from 10.0.0.0/8;', `set_real_ip_from ${proxy};`);
  return replaceOnce(site, `# ${header}`, header);
}

/** What a distribution's nginx.conf has around the sites. */
function frame(folder: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 256; }
    http { access_log off;
      ${kinds.map((kind) => `${kind}_temp_path ${folder}/temp/${kind};`).join(' ')}
      include ${folder}/keyward.conf; }`;
}
