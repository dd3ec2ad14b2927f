import { createServer } from 'node:http';

const { KEYWARD_URL, KEYWARD_MANAGEMENT_KEY, PORT = '3000' } = process.env;

const ORDERS = [{ id: 1, item: 'tea', owner: 'customer_42' }];

/** The scope that each route requires. What is not listed does not exist. */
const ROUTES = {
  'GET /orders': {
    scope: 'orders:read',
    answer: ({ ownerId }) => ORDERS.filter((one) => one.owner === ownerId),
  },
  'POST /orders': { scope: 'orders:write', answer: () => ({ accepted: true }) },
};

/** What the client is answered for each verdict; 403 for one that is not here. */
const STATUS = {
  NOT_FOUND: 401,
  REVOKED: 401,
  DISABLED: 401,
  NOT_YET_VALID: 401,
  EXPIRED: 401,
  RATE_LIMITED: 429,
  CREDITS_EXHAUSTED: 429,
};

const server = createServer(async (request, response) => {
  const [path] = request.url.split('?');
  const route = ROUTES[`${request.method} ${path}`];
  if (!route) return send(response, 404, { error: 'NOT_FOUND' });
  const key = request.headers.authorization?.match(/^Bearer +(\S+)$/i)?.[1];
  if (!key) return refuse(response, 401, 'KEY_MISSING');
  const verdict = await verify(key, route.scope, request);
  if (verdict === null) return refuse(response, 503, 'UNAVAILABLE');
  // Only what is valid: a verdict that a later version adds lets nothing through.
  if (verdict.valid !== true)
    return refuse(response, STATUS[verdict.code] ?? 403, verdict.code, verdict);
  send(response, 200, route.answer(verdict));
});

/** Keyward's verdict, or null where it cannot be had. Never cached: a cached yes outlives its revocation. */
async function verify(key, scope, request) {
  const question = {
    key,
    requiredScopes: [scope],
    // Behind a proxy, the address that the proxy tells, never one that the client may write.
    ip: request.socket.remoteAddress,
    userAgent: request.headers['user-agent']?.slice(0, 512),
  };
  try {
    const answer = await fetch(`${KEYWARD_URL}/v1/verify`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${KEYWARD_MANAGEMENT_KEY}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(2000),
    });
    if (answer.ok) return await answer.json();
    // A mistake of this program or of its set-up: for its log, not for its client.
    console.error('Keyward answered', answer.status, (await answer.json()).code);
  } catch (error) {
    console.error('Keyward gave no answer:', error.name);
  }
  return null;
}

function refuse(response, status, code, verdict) {
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  if (status === 503) response.setHeader('retry-after', '1');
  const resetAt = verdict?.rateLimits?.find((limit) => limit.exceeded)?.resetAt;
  if (resetAt) {
    const seconds = Math.ceil((Date.parse(resetAt) - Date.now()) / 1000);
    response.setHeader('retry-after', String(Math.max(1, seconds)));
  }
  send(response, status, { error: code });
}

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Server listening at http://127.0.0.1:${server.address().port}`);
});
