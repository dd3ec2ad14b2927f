import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const { SIGNING_SECRET, PORT = '8081' } = process.env;
const MAX_BYTES = 1_048_576;

const webhook = new Webhook(SIGNING_SECRET);
/** Events come at least once, so each id is handled once. In production: a unique column of your database. */
const seen = new Set();

/** What to do for each type. Others are taken and ignored, such as those of later versions. */
const HANDLERS = {
  'key.revoked': ({ target }) => console.log(`revoked: ${target.id}`),
  'key.rotated': ({ target }) => console.log(`rotated: ${target.id}`),
  'alert.key_expiring': ({ target }) => console.log(`expires soon: ${target.id}`),
};

const server = createServer(async (request, response) => {
  // A sender that hangs up in the middle is no reason to end.
  const body = await bodyOf(request).catch(() => null);
  if (body === null) return response.writeHead(413).end();
  try {
    // The bytes that came, not JSON that was parsed and written again.
    webhook.verify(body, request.headers);
  } catch {
    return response.writeHead(401).end();
  }
  const id = request.headers['webhook-id'];
  if (!seen.has(id)) handle(JSON.parse(body));
  seen.add(id);
  response.writeHead(204).end();
});

function handle({ type, data }) {
  HANDLERS[type]?.(data);
}

/** The whole body, or null if it is larger than any event. */
async function bodyOf(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Server listening at http://127.0.0.1:${server.address().port}`);
});
