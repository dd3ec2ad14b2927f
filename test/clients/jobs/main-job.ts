/** What dashboards and backends do with keys, in the words of one generated client. */
export interface Client {
  create(name: string): Promise<{ id: string; key: string | null }>;
  verify(key: string): Promise<{ valid: boolean; code: string }>;
  /** The names of the active keys. */
  list(): Promise<string[]>;
  /** The entity tag of a key. */
  etag(id: string): Promise<string | null>;
  rename(id: string, name: string, ifMatch: string): Promise<string>;
  /** The new string; the old one ends at once. */
  rotate(id: string): Promise<string | null>;
  /** The status of the key. */
  revoke(id: string): Promise<string>;
  /** The code of the problem that reading a key answers with. */
  problemOf(id: string): Promise<string>;
}

/** Makes a client that calls this URL with this management key. */
export type Connect = (url: string, managementKey: string) => Client;

/** A key from its creation to its revocation. Throws where an answer is not the right one. */
export async function doMainJob(client: Client, name: string): Promise<void> {
  const { id, key } = await during('create', client.create(name));
  const old = string(key);
  await expect('verify', codeOf(client, old), 'VALID');
  await expect(
    'list',
    client.list().then((names) => names.includes(name)),
    true,
  );
  const etag = string(await during('get', client.etag(id)));
  await expect('patch with If-Match', client.rename(id, 'renamed', etag), 'renamed');
  const tooLate = client.rename(id, 'too late', etag).catch((error: Error) => error.message);
  await expect('patch with an old If-Match', tooLate, 'PRECONDITION_FAILED');
  const next = string(await during('rotate', client.rotate(id)));
  await expect('verify the old string', codeOf(client, old), 'NOT_FOUND');
  await expect('verify the new string', codeOf(client, next), 'VALID');
  await expect('revoke', client.revoke(id), 'revoked');
  await expect('verify a revoked key', codeOf(client, next), 'REVOKED');
  await expect('read a problem', client.problemOf(`key_${'0'.repeat(22)}`), 'NOT_FOUND');
}

/** The verdict, if it agrees with `valid`. */
async function codeOf(client: Client, key: string): Promise<string> {
  const { valid, code } = await client.verify(key);
  return valid === (code === 'VALID') ? code : `${code}, valid: ${valid}`;
}

async function expect<Value>(step: string, call: Promise<Value>, expected: Value): Promise<void> {
  const actual = await during(step, call);
  if (actual !== expected) throw new Error(`${step}: expected ${expected}, got ${actual}`);
}

/** What fails says in which step. */
function during<Value>(step: string, call: Promise<Value>): Promise<Value> {
  return call.catch((error: Error) => {
    throw new Error(`${step}: ${error.message}`);
  });
}

function string(value: string | null): string {
  if (value === null) throw new Error('a string is missing');
  return value;
}
