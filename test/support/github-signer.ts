import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

const KEY_ID = 'known';

/** Signs reports as GitHub does, with a key that the page at `url` has. */
export interface GithubSigner {
  url: string;
  headersOf: (body: Buffer) => Record<string, string>;
  close: () => void;
}

export async function startGithubSigner(): Promise<GithubSigner> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = publicKey.export({ type: 'spki', format: 'pem' });
  const page = JSON.stringify({ public_keys: [{ key_identifier: KEY_ID, key, is_current: true }] });
  const server = createServer((_request, response) => response.end(page));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = Object(server.address());
  return {
    url: `http://127.0.0.1:${port}/keys`,
    headersOf: (body) => ({
      'github-public-key-identifier': KEY_ID,
      'github-public-key-signature': sign('sha256', body, privateKey).toString('base64'),
    }),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
