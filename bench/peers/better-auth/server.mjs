import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { apiKey } from '@better-auth/api-key';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import pg from 'pg';

/**
 * better-auth's API key plugin behind node:http: `POST /v1/verify {"key"}` as Keyward has it, and
 * `GET /keys`, the strings to present. Its rate limit is off, because its default of ten requests a
 * day would end the comparison; everything else is as it comes.
 */
const KEYS = 1000;

const auth = betterAuth({
  database: new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 }),
  secret: 'a-secret-of-the-benchmark-0123456789abcdef',
  baseURL: 'http://127.0.0.1',
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  logger: { disabled: true },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
});
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();

const account = { email: 'bench@example.com', password: 'password-0123456789', name: 'bench' };
const { user } = await auth.api.signUpEmail({ body: account });
const keys = [];
for (let made = 0; made < KEYS; made++) {
  const { key } = await auth.api.createApiKey({ body: { userId: user.id, name: `key ${made}` } });
  keys.push(key);
}

const server = createServer(async (request, response) => {
  const answer =
    request.method === 'GET'
      ? keys
      : await auth.api.verifyApiKey({ body: JSON.parse(await text(request)) });
  const body = JSON.stringify(answer);
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => {
  process.stderr.write(`listens on http://127.0.0.1:${server.address().port}\n`);
});
process.once('SIGTERM', () => process.exit(0));
