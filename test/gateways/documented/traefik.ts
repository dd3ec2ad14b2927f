import { parse } from 'yaml';
import type { Line } from '../http.ts';
import {
  type ClientRequest,
  type DocumentedGateway,
  deployed,
  forwardedOf,
  named,
  only,
  overwrite,
  taken,
  without,
} from './gateway.ts';

interface Middleware {
  headers?: { customRequestHeaders?: Record<string, string> };
  forwardAuth?: { address: string; authRequestHeaders: string[]; authResponseHeaders: string[] };
}

interface File {
  http: {
    middlewares: Record<string, Middleware>;
    routers: Record<string, { rule: string; middlewares: string[] }>;
  };
}

const HOP_HEADERS = ['Connection', 'Keep-Alive', 'TE', 'Trailers', 'Transfer-Encoding', 'Upgrade'];

/** ForwardAuth and Headers of Traefik 3.7: a GET, with the listed headers and X-Forwarded-*. */
export const traefik: DocumentedGateway = {
  name: 'Traefik',
  async ask(client, managementKey) {
    const { before, auth } = await chainOf(client, managementKey);
    const headers = before.reduce(applyHeaders, [...client.headers]);
    const sent = only(withoutHopHeaders(headers), auth.authRequestHeaders);
    const path = new URL(auth.address).pathname;
    return { method: 'GET', path, headers: overwrite(sent, forwardedOf(client)) };
  },
  refusal: ({ status = 0 }) => (status >= 200 && status < 300 ? null : status),
  async headersForApi(client, answer) {
    const { before, auth, after } = await chainOf(client, '');
    const headers = before.reduce(applyHeaders, [...client.headers]);
    const known = overwrite(headers, taken(answer, auth.authResponseHeaders));
    return withoutHopHeaders(after.reduce(applyHeaders, known));
  },
  toldOnSuccess: [],
  limitedStatus: 429,
  faultStatus: 401,
  namesAddress: false,
  handsKeyOn: false,
};

async function chainOf({ path }: ClientRequest, managementKey: string) {
  const text = await deployed('traefik/keyward.yml');
  const file: File = parse(text.replaceAll('{{ env "KEYWARD_KEY" }}', managementKey));
  const router = named(Object.values(file.http.routers), ({ rule }) =>
    path.startsWith(/PathPrefix\(`([^`]+)`\)/.exec(rule)?.[1] ?? ' '),
  );
  const chain = router.middlewares.map((name) => file.http.middlewares[name] ?? {});
  const at = chain.findIndex(({ forwardAuth }) => forwardAuth !== undefined);
  const auth = chain[at]?.forwardAuth;
  if (!auth) throw new Error('the router does not ask');
  return { before: chain.slice(0, at), auth, after: chain.slice(at + 1) };
}

function applyHeaders(headers: Line[], { headers: settings }: Middleware): Line[] {
  return overwrite(headers, settings?.customRequestHeaders ?? {});
}

/** Those too that a client names in Connection. */
function withoutHopHeaders(headers: readonly Line[]): Line[] {
  const named = only(headers, ['Connection']).flatMap(([, value]) => value.split(/\s*,\s*/));
  return without(headers, [...named, ...HOP_HEADERS]);
}
