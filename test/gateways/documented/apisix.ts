import { parse } from 'yaml';
import {
  type DocumentedGateway,
  deployed,
  forwardedOf,
  named,
  only,
  overwrite,
  taken,
} from './gateway.ts';

interface ForwardAuth {
  uri: string;
  extra_headers: Record<string, string>;
  request_headers: string[];
  upstream_headers: string[];
  status_on_error: number;
}
interface File {
  routes: { uri: string; plugins: { 'forward-auth': ForwardAuth } }[];
}

/** forward-auth of APISIX 3.18: a GET with X-Forwarded-*, its own headers and the listed ones. */
export const apisix: DocumentedGateway = {
  name: 'APISIX',
  async ask(client, managementKey) {
    const auth = await pluginOf(client.path);
    const own = Object.entries(auth.extra_headers).map(([name, value]) => [
      name,
      value.replace('${' + '{KEYWARD_KEY}}', managementKey).replace('$remote_addr', client.address),
    ]);
    const set = { ...forwardedOf(client), ...Object.fromEntries(own) };
    const sent = only(client.headers, auth.request_headers);
    return { method: 'GET', path: new URL(auth.uri).pathname, headers: overwrite(sent, set) };
  },
  refusal: ({ status = 0 }) => (status < 300 ? null : status),
  async headersForApi(client, answer) {
    const { upstream_headers: names } = await pluginOf(client.path);
    return overwrite(client.headers, taken(answer, names));
  },
  toldOnSuccess: [],
  limitedStatus: 429,
  faultStatus: 401,
  namesAddress: true,
  handsKeyOn: false,
};

async function pluginOf(path: string): Promise<ForwardAuth> {
  const file: File = parse(await deployed('apisix/apisix.yaml'));
  return named(file.routes, ({ uri }) => path.startsWith(uri.replace('*', ''))).plugins[
    'forward-auth'
  ];
}
