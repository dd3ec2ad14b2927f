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
  const { id, key } = await client.create(name);
  expect('a new key verifies', (await client.verify(string(key))).code, 'VALID');
  expect('the list has the key', (await client.list()).includes(name), true);
  const etag = string(await client.etag(id));
  expect(
    'a patch renames the key',
    await client.rename(id, `${name}, renamed`, etag),
    `${name}, renamed`,
  );
  await client.rename(id, 'too late', etag).then(
    () => expect('a patch with an old If-Match is refused', 'renamed', 'PRECONDITION_FAILED'),
    (error: Error) => expect('a refusal has its code', error.message, 'PRECONDITION_FAILED'),
  );
  const next = string(await client.rotate(id));
  expect('the old string has ended', (await client.verify(string(key))).valid, false);
  expect('the new string verifies', (await client.verify(next)).valid, true);
  expect('the key is revoked', await client.revoke(id), 'revoked');
  expect('a revoked key is not valid', (await client.verify(next)).code, 'REVOKED');
  expect('a problem has its code', await client.problemOf(`key_${'0'.repeat(22)}`), 'NOT_FOUND');
}

function expect(what: string, actual: unknown, expected: unknown): void {
  if (actual === expected) return;
  throw new Error(`${what}: expected ${String(expected)}, got ${String(actual)}`);
}

function string(value: string | null): string {
  if (value === null) throw new Error('a string is missing');
  return value;
}
