import { describe, expect, it } from 'vitest';
import { documentedHeaders } from '../support/documented.ts';
import type { Answer } from '../support/instance.ts';
import { createFixture, MUTATING_CALLS, type PreparedCall } from '../support/mutating-calls.ts';
import { usePair } from '../support/pair.ts';
import { createWebhook } from '../support/webhook-calls.ts';

describe('the headers in the OpenAPI document', () => {
  const pair = usePair();
  let count = 0;

  async function prepare(operation: string): Promise<PreparedCall> {
    const fixture = await createFixture(pair.first, `headers-${++count}`);
    const call = await MUTATING_CALLS[operation]?.(fixture);
    if (!call) throw new Error(`nothing is known of ${operation}`);
    return call;
  }

  const send = (
    { method, url, body, ownKey }: PreparedCall,
    headers: Record<string, string> = {},
  ): Promise<Answer> =>
    pair.first.call(method, url, {
      headers,
      ...(body && { body }),
      ...(ownKey && { as: ownKey.key }),
    });

  describe.each(Object.keys(MUTATING_CALLS))('%s', (operation) => {
    const { taken } = documentedHeaders(operation, 200);

    it(`${operation} obeys If-Match if the document names it there, and else takes none`, async () => {
      const { status } = await send(await prepare(operation), { 'if-match': '"0"' });
      expect(status === 412).toBe(taken.has('if-match'));
    });

    it(`${operation} obeys If-None-Match if the document names it there, and else takes none`, async () => {
      const { status } = await send(await prepare(operation), { 'if-none-match': '*' });
      expect(status === 412).toBe(taken.has('if-none-match'));
    });

    it(`${operation} checks Keyward-Actor if the document names it there, and else takes none`, async () => {
      const { status } = await send(await prepare(operation), { 'keyward-actor': '' });
      expect(status === 400).toBe(taken.has('keyward-actor'));
    });

    it(`${operation} obeys Idempotency-Key if the document names it there, and each answer has the headers that the document gives it`, async () => {
      const call = await prepare(operation);
      const headers = { 'idempotency-key': `documented-${count}` };
      const answer = await send(call, headers);
      const again = await send(call, headers);
      expect(again.headers['idempotent-replayed'] === 'true').toBe(taken.has('idempotency-key'));
      const { answered } = documentedHeaders(operation, answer.status);
      const shown = taken.has('idempotency-key') ? again : answer;
      expect(Object.keys(shown.headers)).toEqual(expect.arrayContaining([...answered]));
    });
  });

  it.each([
    ['getKey', '/v1/keys/'],
    ['getManagementKey', '/v1/management-keys/'],
    ['getWebhook', '/v1/webhooks/'],
    ['getWorkspace', '/v1/workspaces/'],
  ])(
    '%s gives an ETag, and obeys If-None-Match if the document names it there',
    async (operation, path) => {
      const id = await createdAt(path);
      const { taken, answered } = documentedHeaders(operation, 200);
      expect([...answered]).toContain('etag');
      const { etag } = (await pair.first.call('GET', path + id)).headers;
      const headers = { 'if-none-match': String(etag) };
      const { status } = await pair.first.call('GET', path + id, { headers });
      expect(status === 304).toBe(taken.has('if-none-match'));
    },
  );

  async function createdAt(path: string): Promise<string> {
    if (path.includes('workspaces')) return 'default';
    if (path.includes('webhooks')) return (await createWebhook(pair.first)).id;
    const more = path.includes('management') ? { permissions: ['keys:read'] } : {};
    const body = { name: 'documented', ...more };
    return (await pair.first.call('POST', path.slice(0, -1), { body })).body.id;
  }
});
