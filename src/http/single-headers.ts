import type { IncomingMessage } from 'node:http';
import { invalidField } from '../errors.ts';
import type { App } from './app-type.ts';

/** Headers that have one meaning. Node keeps the first of some and joins others. */
const SINGLE = new Set([
  ...['authorization', 'keyward-actor', 'idempotency-key'],
  ...['host', 'content-type', 'content-encoding'],
]);
/** Ignores these headers of its client, or answers by its own rules. */
export const GATEWAY_ROUTE = '/v1/authorize';

/** Refuses a header that is sent twice with different values; equal ones count as one. */
export function registerSingleHeaders(app: App): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (!hasRepeatedHeaders(request.raw)) return done();
    if (request.routeOptions.url === GATEWAY_ROUTE) return done();
    const seen = new Map<string, string>();
    const { rawHeaders } = request.raw;
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index]?.toLowerCase() ?? '';
      if (!SINGLE.has(name)) continue;
      const value = rawHeaders[index + 1] ?? '';
      const first = seen.get(name);
      if (first === undefined) seen.set(name, value);
      else if (first !== value) return done(invalidField(`/headers/${name}`, 'is sent twice'));
      else request.headers[name] = value;
    }
    done();
  });
}

/** Whether any header is sent twice, by number: Node merges those, or keeps the first. */
export function hasRepeatedHeaders({ rawHeaders, headers }: IncomingMessage): boolean {
  return Object.keys(headers).length * 2 !== rawHeaders.length;
}
