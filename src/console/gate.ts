import type { IncomingMessage } from 'node:http';
import { isFromConsole, readCookie } from './cookie.ts';
import type { Session, Sessions } from './sessions.ts';

const PREFIX = '/console/api';

export interface OpenSession {
  session: Session;
  /** Whether its cookie is for TLS alone. */
  isSecure: boolean;
}

/**
 * The API under `/console/api` is the API, with the session's cookie in place of the management key: that
 * is put into the request before anything else looks at it. Elsewhere the cookie means nothing.
 */
export class ConsoleGate {
  readonly #sessions: Sessions;

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /** The path that answers a request; null if it is none of the console. */
  enter(request: IncomingMessage): string | null {
    const { url = '/', headers } = request;
    if (!url.startsWith(`${PREFIX}/v1/`)) return null;
    delete headers.authorization;
    delete headers['keyward-actor'];
    // Where a header is sent twice, its values are read from here.
    removeRaw(request.rawHeaders, ['authorization', 'keyward-actor']);
    const session = this.open(request)?.session;
    // Another tab may have signed in as somebody else since its page was loaded.
    if (session && session.id === headers['keyward-console']) {
      headers.authorization = `Bearer ${session.key}`;
      if (session.actor !== null) headers['keyward-actor'] = session.actor;
    }
    return url.slice(PREFIX.length);
  }

  /** The session of a request that a page of the console has made, and the kind of its cookie. */
  open({ headers }: Pick<IncomingMessage, 'headers'>): OpenSession | null {
    const cookie = isFromConsole(headers) ? readCookie(headers) : null;
    const session = cookie && this.#sessions.open(cookie.value);
    return session && { session, isSecure: cookie.isSecure };
  }
}

/** Names and values take turns. */
function removeRaw(raw: string[], names: readonly string[]): void {
  for (let index = raw.length - 2; index >= 0; index -= 2) {
    if (names.includes((raw[index] ?? '').toLowerCase())) raw.splice(index, 2);
  }
}
