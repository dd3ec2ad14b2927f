import { ROOT_KEY } from './env.ts';
import type { Server } from './program.ts';

/** Calls a management endpoint with the root key; throws if it is refused. */
async function call(server: Server, path: string, body: object): Promise<string> {
  return send(server, path, `Bearer ${ROOT_KEY}`, JSON.stringify(body));
}

/** Creates a management key that may only verify, and returns its `Authorization` header. */
export async function createVerifier(server: Server): Promise<string> {
  const options = { name: 'benchmark', permissions: ['keys:verify'], workspaceId: null };
  const { key }: { key: string } = JSON.parse(await call(server, '/v1/management-keys', options));
  return `Bearer ${key}`;
}

export async function send(
  { url }: Server,
  path: string,
  authorization: string,
  body: string,
): Promise<string> {
  const headers = { 'content-type': 'application/json', authorization };
  const answer = await fetch(url + path, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.text();
}

export function bodyOf(key: string): string {
  return JSON.stringify({ key });
}

/** The same string with another last character, so that its checksum is wrong. */
export function forgedFrom(key: string): string {
  return key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A');
}
