import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticate } from '../call-context.ts';
import type { Caller } from '../domain/caller.ts';
import { toIso } from '../domain/time.ts';
import { KeywardError } from '../errors.ts';
import type { App } from '../http/app-type.ts';
import { readActor } from '../http/call-contexts.ts';
import type { KeyDetector } from '../http/key-detector.ts';
import { loadConsole } from './assets.ts';
import { cookieHeader, isFromConsole, isSecureOrigin, NO_COOKIES } from './cookie.ts';
import type { ConsoleGate, OpenSession } from './gate.ts';
import { LIFETIME_MS, type Session, type Sessions } from './sessions.ts';
import { SignInLimits } from './sign-in-limits.ts';
import type { SignInLink } from './sign-in-link.ts';

/** What a page names that does not know its session yet. */
const ANY_SESSION = 'session';
const HIDDEN = { schema: { hide: true } };
const SAFE_HEADERS = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

export interface ConsoleDependencies {
  sessions: Sessions;
  gate: ConsoleGate;
  link: SignInLink;
  authenticate: Authenticate;
  keyDetector: KeyDetector;
  now: () => number;
}

/** The console: its page, and the sessions in which it calls the API. */
export function consoleRoutes(app: App, deps: ConsoleDependencies): void {
  sessionRoutes(app, deps);
  pageRoutes(app);
}

function sessionRoutes(app: App, deps: ConsoleDependencies): void {
  const { sessions, gate, link, authenticate, keyDetector } = deps;
  const limits = new SignInLimits(deps.now);
  const answer = async (reply: FastifyReply, { session, isSecure }: OpenSession) => {
    const caller = await authenticate(`Bearer ${session.key}`);
    setCookies(reply, cookieHeader({ value: sessions.seal(session), isSecure }));
    return sessionView(caller, session);
  };

  app.post('/console/session', HIDDEN, async (request, reply) => {
    requireConsole(request);
    const { authorization, 'keyward-console-link': token } = request.headers;
    // Before a link is spent.
    const actor = readActor(request.headers['keyward-actor'], keyDetector);
    return limits.attempt(request.ip, `${token ?? authorization}`, async () => {
      const session = sessions.start((await link.redeem(token)) ?? bearer(authorization), actor);
      return answer(reply, { session, isSecure: isSecureOrigin(request.headers) });
    });
  });

  app.get('/console/session', HIDDEN, async (request, reply) => {
    const open = gate.open(request.raw);
    if (!open || !isNamed(request, open.session)) throw new KeywardError('UNAUTHENTICATED');
    return answer(reply, { ...open, session: sessions.continue(open.session) });
  });

  app.delete('/console/session', HIDDEN, async (request, reply) => {
    requireConsole(request);
    setCookies(reply, NO_COOKIES);
    return reply.status(204).header('clear-site-data', '"cache"').send();
  });
}

function pageRoutes(app: App): void {
  let loading: ReturnType<typeof loadConsole> | null = null;
  const load = () => {
    loading ??= loadConsole().catch((error) => {
      loading = null;
      throw error;
    });
    return loading;
  };
  const page = async (request: FastifyRequest, reply: FastifyReply) => {
    if (request.url.startsWith('/console/api')) throw new KeywardError('NOT_FOUND');
    const { html, policy } = await load();
    return reply
      .headers({ ...SAFE_HEADERS, 'content-security-policy': policy, 'cache-control': 'no-store' })
      .type('text/html; charset=utf-8')
      .send(html);
  };
  app.get('/console', HIDDEN, page);
  app.get('/console/*', HIDDEN, page);
  app.get('/console/assets/*', HIDDEN, async (request, reply) => {
    const asset = (await load()).assets.get(request.url);
    if (!asset) throw new KeywardError('NOT_FOUND');
    const isCompressed = /\bgzip\b/.test(String(request.headers['accept-encoding']));
    if (isCompressed) reply.header('content-encoding', 'gzip');
    return reply
      .headers({ ...SAFE_HEADERS, 'cache-control': 'public, max-age=31536000, immutable' })
      .header('vary', 'accept-encoding')
      .type(asset.type)
      .send(isCompressed ? asset.compressed : asset.body);
  });
}

function requireConsole({ headers }: FastifyRequest): void {
  if (!isFromConsole(headers)) throw new KeywardError('UNAUTHENTICATED');
}

/** A page keeps alive its own session alone; a new page asks which there is. */
function isNamed({ headers }: FastifyRequest, { id }: Session): boolean {
  const named = headers['keyward-console'];
  return named === ANY_SESSION || named === id;
}

function setCookies(reply: FastifyReply, cookies: string | string[]): void {
  reply.headers({ 'set-cookie': cookies, 'cache-control': 'no-store' });
}

function bearer(authorization: string | undefined): string {
  const [, key] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? [];
  if (key === undefined) throw new KeywardError('UNAUTHENTICATED');
  return key;
}

/** What a page needs to know to offer what its user may do, and no more. */
function sessionView({ type, id, workspaceId, permissions, suspended }: Caller, session: Session) {
  return {
    id: session.id,
    caller: { type, id, workspaceId, permissions: [...permissions], suspended },
    actor: session.actor,
    endsAt: toIso(session.signedInAt + LIFETIME_MS),
  };
}
