import { KeywardError } from '../errors.ts';
import type { App } from './app-type.ts';
import type { HandedOnRequests } from './handed-on-requests.ts';
import type { OpenSockets } from './open-sockets.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Closes every connection at once: from then on nothing is answered. */
    endConnections: () => void;
  }
}

/** A close finishes the requests in flight, refuses those that still arrive, and waits for no client. */
export function registerGracefulClose(
  app: App,
  sockets: OpenSockets,
  handedOn: HandedOnRequests,
): void {
  app.decorate('endConnections', () => sockets.end());
  app.addHook('onRequest', ({ raw }, _reply, done) =>
    done(
      sockets.isDraining && !handedOn.get(raw)
        ? new KeywardError('UNAVAILABLE', 'Keyward is stopping.')
        : undefined,
    ),
  );
  app.addHook('preClose', (done) => {
    sockets.drain();
    done();
  });
  app.addHook('onClose', (_app, done) => {
    sockets.end();
    done();
  });
}
