import { parse } from 'yaml';
import {
  type DocumentedGateway,
  deployed,
  named,
  only,
  overwrite,
  taken,
  without,
} from './gateway.ts';

interface File {
  services: {
    routes: { paths: string[]; plugins: { name: string; config: { access: string[] } }[] }[];
  }[];
}

const PARTS = ['Key-Id', 'Owner', 'Scopes', 'Truncated', 'Workspace'];
const IDENTITY = PARTS.map((part) => `X-Keyward-${part}`);
const PRESENTED = ['Authorization', 'X-API-Key', 'User-Agent'];

/** The Lua of deploy/kong, which pre-function of Kong 3 runs; this says the same in TypeScript. */
export const kong: DocumentedGateway = {
  name: 'Kong',
  async ask({ path, headers, address }, managementKey) {
    const { require, code } = await functionsOf(path);
    for (const name of PRESENTED) if (!code.includes(`["${name}"] =`)) throw new Error(name);
    if (!code.includes('"mode=nginx", "ip=" .. kong.client.get_forwarded_ip()'))
      throw new Error('the question is another');
    const words = [`Bearer ${managementKey}`, 'mode=nginx', `ip=${address}`, require];
    const question = { 'X-Keyward-Authorization': words.join('; ') };
    return {
      method: 'GET',
      path: '/v1/authorize',
      headers: overwrite(only(headers, PRESENTED), question),
    };
  },
  refusal: ({ status = 0, headers }) => {
    if (status === 401 || status === 403) return Number(headers['x-keyward-status']);
    return status === 200 && headers['x-keyward-code'] === 'VALID' ? null : 503;
  },
  async headersForApi({ headers }, answer) {
    const own = headers.filter(([name]) => !/^x[-_]keyward/i.test(name));
    return overwrite(without(own, ['X-API-Key', 'Authorization']), taken(answer, IDENTITY));
  },
  toldOnSuccess: ['ratelimit', 'ratelimit-policy', 'deprecation', 'sunset'],
  limitedStatus: 429,
  faultStatus: 503,
  namesAddress: true,
  handsKeyOn: false,
};

async function functionsOf(path: string): Promise<{ require: string; code: string }> {
  const file: File = parse(await deployed('kong/kong.yml'));
  const routes = file.services.flatMap((service) => service.routes);
  const route = named(routes, ({ paths }) => paths.some((prefix) => path.startsWith(prefix)));
  const [first = '', code = ''] = route.plugins[0]?.config.access ?? [];
  const require = /^kong\.ctx\.shared\.keyward_require = "(.*)"$/.exec(first)?.[1];
  if (require === undefined) throw new Error('the route does not say what it asks');
  return { require, code };
}
