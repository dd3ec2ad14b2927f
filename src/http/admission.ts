import { KeywardError } from '../errors.ts';
import { REQUEST_BYTES } from '../lib/memory-budget.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import type { App } from './app-type.ts';

/**
 * Bounds the requests in flight. One more is refused at once, with Retry-After, instead of joining
 * a queue that would make every answer late. Health checks are always admitted.
 */
export function registerAdmission(app: App, max: number): ResourceLimit {
  let inFlight = 0;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.alwaysAdmitted) return done();
    if (inFlight >= max) return done(new KeywardError('OVERLOADED'));
    inFlight++;
    // `close` is emitted exactly once, also if the client has hung up.
    reply.raw.once('close', () => {
      inFlight--;
    });
    done();
  });
  return { name: 'requests', max, bytesEach: REQUEST_BYTES, used: () => inFlight };
}
