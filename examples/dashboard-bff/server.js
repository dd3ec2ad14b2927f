import { createServer } from 'node:http';
import { call } from './keyward.js';

const { PORT = '3001' } = process.env;
const MAX_BYTES = 65_536;

/** Your own sessions. The workspace comes from here alone, never from what the browser sends. */
const SESSIONS = {
  'session-of-ada': { id: 'ada', workspaceId: 'acme' },
  'session-of-bob': { id: 'bob', workspaceId: 'globex' },
};

/** The calls of the page. Each names the workspace of the user, so that ids of others are 404. */
const ROUTES = {
  'GET /keys': async ({ user }) => {
    const { data } = await call(
      user,
      'GET',
      `/v1/keys?${new URLSearchParams({ workspaceId: user.workspaceId })}`,
    );
    return data.map(shown);
  },
  'POST /keys': async ({ user, body }) => {
    // The fields that customers choose, each by name: not the body as it came.
    const given = { name: body.name, expiresInSeconds: body.expiresInSeconds };
    const scopes = ['orders:read'];
    const made = await call(user, 'POST', '/v1/keys', {
      ...given,
      scopes,
      workspaceId: user.workspaceId,
    });
    return { ...shown(made), key: made.key };
  },
  'POST /keys/:id/rotate': async ({ user, id }) => {
    const change = { workspaceId: user.workspaceId, graceSeconds: 86_400 };
    const made = await call(user, 'POST', `/v1/keys/${id}/rotate`, change);
    return { ...shown(made), key: made.key };
  },
  'POST /keys/:id/revoke': async ({ user, id }) =>
    shown(await call(user, 'POST', `/v1/keys/${id}/revoke`, { workspaceId: user.workspaceId })),
};

const server = createServer(async (request, response) => {
  const [pathname] = request.url.split('?');
  const [, id] = /^\/keys\/(key_\w+)\//.exec(pathname) ?? [];
  const route = ROUTES[`${request.method} ${id ? pathname.replace(id, ':id') : pathname}`];
  const user = userOf(request);
  if (!route) return send(response, 404, { error: 'NOT_FOUND' });
  if (!user) return send(response, 401, { error: 'SIGN_IN' });
  if (isFromElsewhere(request)) return send(response, 403, { error: 'CROSS_SITE' });
  try {
    send(response, 200, await route({ user, id, body: await bodyOf(request) }));
  } catch ({ status = 500, code = 'INTERNAL' }) {
    send(response, status, { error: code });
  }
});

function userOf(request) {
  const [, session] = /(?:^|; )session=([\w-]+)/.exec(request.headers.cookie ?? '') ?? [];
  return Object.hasOwn(SESSIONS, session) ? SESSIONS[session] : undefined;
}

/** A page of another site could make the browser send the cookie along with a change of its own. */
function isFromElsewhere({ method, headers }) {
  return method !== 'GET' && headers['sec-fetch-site'] !== 'same-origin';
}

/** What the page shows of a key. `start` tells keys apart, and is not part of the secret. */
function shown({ id, name, start, status, scopes, expiresAt, createdAt }) {
  return { id, name, start, status, scopes, expiresAt, createdAt };
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BYTES)
      throw Object.assign(new Error(), { status: 413, code: 'TOO_LARGE' });
  }
  try {
    return { ...JSON.parse(text || '{}') };
  } catch {
    throw Object.assign(new Error(), { status: 400, code: 'MALFORMED_JSON' });
  }
}

/** Never stored: an answer may hold a key string, which is shown this one time. */
function send(response, status, body) {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(JSON.stringify(body));
}

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Server listening at http://127.0.0.1:${server.address().port}`);
});
