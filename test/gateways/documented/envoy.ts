import { parse } from 'yaml';
import {
  type ClientRequest,
  type DocumentedGateway,
  deployed,
  named,
  only,
  overwrite,
  taken,
  without,
} from './gateway.ts';

interface Mutation {
  remove?: string;
  append?: { header: { key: string; value: string }; append_action: string };
}
type Patterns = { patterns: { exact: string }[] };
interface Filter {
  name: string;
  typed_config: {
    mutations?: { request_mutations: Mutation[] };
    allowed_headers?: Patterns;
    http_service?: {
      path_prefix: string;
      authorization_response: {
        allowed_upstream_headers: Patterns;
        allowed_client_headers_on_success: Patterns;
      };
    };
  };
}
interface VirtualHost {
  request_headers_to_remove: string[];
  routes: {
    match: { prefix: string };
    typed_per_filter_config: Record<string, { mutations: { request_mutations: Mutation[] } }>;
  }[];
}
interface File {
  static_resources: {
    listeners: {
      filter_chains: {
        filters: {
          typed_config: { http_filters: Filter[]; route_config: { virtual_hosts: VirtualHost[] } };
        }[];
      }[];
    }[];
  };
}

const MUTATION = 'envoy.filters.http.header_mutation';

/**
 * ext_authz over HTTP and header_mutation of Envoy 1.40: the client's method, its path behind a prefix,
 * Authorization and the allowed headers, and no body.
 */
export const envoy: DocumentedGateway = {
  name: 'Envoy',
  async ask(client, managementKey) {
    const { mutations, auth } = await configOf(client.path);
    const headers = mutated(client, mutations, managementKey);
    const allowed = exact(auth.allowed_headers);
    return {
      method: client.method,
      path: `${auth.http_service?.path_prefix}${client.path}`,
      headers: [...only(headers, ['authorization', ...allowed]), ['Content-Length', '0']],
    };
  },
  // A 5xx is an error to Envoy, which `status_on_error` names.
  refusal: ({ status = 0 }) => (status === 200 ? null : status >= 500 ? 503 : status),
  async headersForApi(client, answer) {
    const { mutations, auth, host } = await configOf(client.path);
    const upstream = auth.http_service?.authorization_response.allowed_upstream_headers;
    const headers = mutated(client, mutations, '');
    const known = overwrite(headers, taken(answer, exact(upstream)));
    return without(known, host.request_headers_to_remove);
  },
  toldOnSuccess: ['ratelimit', 'ratelimit-policy', 'deprecation', 'sunset'],
  limitedStatus: 429,
  faultStatus: 401,
  namesAddress: true,
  handsKeyOn: false,
};

async function configOf(path: string) {
  const file: File = parse(await deployed('envoy/envoy.yaml'));
  const manager = file.static_resources.listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  const [host] = manager?.route_config.virtual_hosts ?? [];
  if (!manager || !host) throw new Error('the listener has a connection manager and a host');
  const route = named(host.routes, ({ match }) => path.startsWith(match.prefix));
  const names = manager.http_filters.map(({ name }) => name);
  if (names.indexOf(MUTATION) > names.indexOf('envoy.filters.http.ext_authz'))
    throw new Error('the question is set before it is asked');
  const general = named(manager.http_filters, ({ name }) => name === MUTATION);
  const { typed_config: auth } = named(manager.http_filters, ({ name }) => /authz$/.test(name));
  const mutations = [
    ...(general.typed_config.mutations?.request_mutations ?? []),
    ...(route.typed_per_filter_config[MUTATION]?.mutations.request_mutations ?? []),
  ];
  return { mutations, auth, host };
}

function mutated({ headers, address }: ClientRequest, mutations: Mutation[], key: string) {
  return mutations.reduce(
    (lines, { remove, append }) => {
      if (remove !== undefined) return without(lines, [remove]);
      if (append?.append_action !== 'OVERWRITE_IF_EXISTS_OR_ADD')
        throw new Error('not overwritten');
      const value = append.header.value
        .replace('%ENVIRONMENT(KEYWARD_KEY)%', key)
        .replace('%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', address);
      return overwrite(lines, { [append.header.key]: value });
    },
    [...headers],
  );
}

const exact = (list: Patterns | undefined) => list?.patterns.map((pattern) => pattern.exact) ?? [];
