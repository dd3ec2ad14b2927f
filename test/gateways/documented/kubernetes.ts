import { parseAllDocuments } from 'yaml';
import type { Line } from '../http.ts';
import {
  type DocumentedGateway,
  deployed,
  named,
  only,
  overwrite,
  taken,
  without,
} from './gateway.ts';

interface Filter {
  extensionRef?: { name: string };
  requestHeaderModifier?: { remove: string[] };
}
interface Manifest {
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  data?: Record<string, string>;
  stringData?: { credential: string };
  spec?: {
    rules?: {
      http?: { paths: { path: string }[] };
      matches?: { path: { value: string } }[];
      filters?: Filter[];
    }[];
    credentialInjection?: { header: string; overwrite: boolean };
    extAuth?: {
      headersToExtAuth: string[];
      http: { path: string; headersToBackend: string[] };
    };
  };
}

const NGINX = 'nginx.ingress.kubernetes.io';

/** The external authentication of ingress-nginx 1.15: nginx's auth_request with all client headers. */
export const ingressNginx: DocumentedGateway = {
  name: 'ingress-nginx',
  async ask(client, managementKey) {
    const { manifests, annotations } = await ingressOf(client.path);
    const [, name] = (annotations[`${NGINX}/auth-proxy-set-headers`] ?? '').split('/');
    const map = named(
      manifests,
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name,
    );
    const own = Object.entries(map.data ?? {}).map(([header, value]) => [
      header,
      value.replace('kw_REPLACE_ME', managementKey).replace('$remote_addr', client.address),
    ]);
    return {
      method: annotations[`${NGINX}/auth-method`] ?? client.method,
      path: new URL(annotations[`${NGINX}/auth-url`] ?? '').pathname,
      headers: overwrite(withoutUnderscores(client.headers), {
        ...ownHeaders(client.path, client.method, client.address),
        ...Object.fromEntries(own),
      }),
    };
  },
  refusal: ({ status = 0 }) =>
    status < 300 ? null : status === 401 || status === 403 ? status : 500,
  async headersForApi(client, answer) {
    const { annotations } = await ingressOf(client.path);
    const names = (annotations[`${NGINX}/auth-response-headers`] ?? '').split(',');
    return overwrite(withoutUnderscores(client.headers), taken(answer, names));
  },
  toldOnSuccess: [],
  limitedStatus: 403,
  faultStatus: 500,
  namesAddress: true,
  handsKeyOn: true,
};

/** SecurityPolicy and HTTPRouteFilter of Envoy Gateway 1.9: Envoy's ext_authz over HTTP. */
export const envoyGateway: DocumentedGateway = {
  name: 'Envoy Gateway',
  async ask(client, managementKey) {
    const { header, credential, auth } = await policyOf(client.path);
    const headers = overwrite(client.headers, {
      [header]: credential.replace('kw_REPLACE_ME', managementKey),
    });
    const sent = only(headers, ['Authorization', ...auth.headersToExtAuth]);
    return { method: client.method, path: `${auth.http.path}${client.path}`, headers: sent };
  },
  refusal: ({ status = 0 }) => (status === 200 ? null : status >= 500 ? 503 : status),
  async headersForApi(client, answer) {
    const { auth, removed } = await policyOf(client.path);
    return without(overwrite(client.headers, taken(answer, auth.http.headersToBackend)), removed);
  },
  toldOnSuccess: [],
  limitedStatus: 429,
  faultStatus: 401,
  namesAddress: false,
  handsKeyOn: false,
};

async function manifestsOf(file: string): Promise<Manifest[]> {
  const documents = parseAllDocuments(await deployed(`kubernetes/${file}`));
  return documents.map((document): Manifest => document.toJS());
}

async function ingressOf(path: string) {
  const manifests = await manifestsOf('ingress-nginx.yaml');
  const ingress = named(
    manifests,
    ({ spec }) =>
      spec?.rules?.some(({ http }) => http?.paths.some((at) => path.startsWith(at.path))) ?? false,
  );
  return { manifests, annotations: ingress.metadata.annotations ?? {} };
}

async function policyOf(path: string) {
  const manifests = await manifestsOf('envoy-gateway.yaml');
  const rules = manifests.flatMap(({ spec }) => spec?.rules ?? []);
  const { filters = [] } = named(
    rules,
    ({ matches }) => matches?.some((match) => path.startsWith(match.path.value)) ?? false,
  );
  const name = filters.find(({ extensionRef }) => extensionRef)?.extensionRef?.name;
  const of = (kind: string) =>
    named(manifests, (item) => item.kind === kind && item.metadata.name === name);
  const injection = of('HTTPRouteFilter').spec?.credentialInjection;
  const auth = named(manifests, ({ kind }) => kind === 'SecurityPolicy').spec?.extAuth;
  if (!injection?.overwrite || !auth) throw new Error('the question is overwritten and asked');
  return {
    header: injection.header,
    credential: of('Secret').stringData?.credential ?? '',
    auth,
    removed: filters.flatMap(({ requestHeaderModifier }) => requestHeaderModifier?.remove ?? []),
  };
}

/** `underscores_in_headers` is off. */
const withoutUnderscores = (headers: readonly Line[]) =>
  headers.filter(([name]) => !name.includes('_'));

const ownHeaders = (path: string, method: string, address: string) => ({
  'Content-Length': '',
  Connection: 'close',
  'X-Forwarded-Proto': '',
  'X-Original-URL': `http://api.example.com${path}`,
  'X-Original-Method': method,
  'X-Sent-From': 'nginx-ingress-controller',
  'X-Real-IP': address,
  'X-Forwarded-For': address,
  'X-Auth-Request-Redirect': path,
});
