import { KeywardError } from '../errors.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import type { App } from './app-type.ts';

/**
 * The bound on requests at work. Above it a request is refused at once, with Retry-After, instead
 * of joining a queue that would make every answer late. Health checks always pass.
 */
export function registerAdmission(app: App, max: number): ResourceLimit {
  let inFlight = 0;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.alwaysAdmitted) return done();
    if (inFlight >= max) return done(new KeywardError('OVERLOADED'));
    inFlight++;
    // Also where the client has hung up: `close` comes in any case, and once.
    reply.raw.once('close', () => {
      inFlight--;
    });
    done();
  });
  return { name: 'requests', max, used: () => inFlight };
}
