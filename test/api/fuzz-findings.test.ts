import { describe, expect, it } from 'vitest';
import { usePair } from '../support/pair.ts';

describe('what the fuzzer found', () => {
  const pair = usePair();
  const cursorOf = (...parts: unknown[]) =>
    Buffer.from(JSON.stringify(parts)).toString('base64url');

  it.each([
    '2026-11-21T05:19:x516Z',
    '2026-11-2null05:19:16.851Z',
    '2026-11-21 05:19 Nowhere/Town',
  ])('a cursor with an invalid time zone is refused: %s', async (time) => {
    const cursor = cursorOf('management-keys', time, 'mk_1');
    const answer = await pair.first.call('GET', `/v1/management-keys?cursor=${cursor}`);
    expect([answer.status, answer.body.code]).toEqual([400, 'INVALID_CURSOR']);
  });

  it.each(['lastUsedBefore', 'createdBefore', 'expiresBefore'])(
    'a list accepts the last second that can be written, in the filter %s',
    async (filter) => {
      const answer = await pair.first.call('GET', `/v1/keys?${filter}=9999-12-31T23:59:59Z`);
      expect(answer.status).toBe(200);
    },
  );

  it('the OpenAPI document lists the statuses that a caller of one workspace or a repeated call can get', async () => {
    const { body } = await pair.first.call('GET', '/openapi.json');
    for (const action of ['suspend', 'resume']) {
      const { responses } = body.paths[`/v1/workspaces/{id}/${action}`].post;
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['409', '422']));
    }
    for (const path of ['/v1/audit-events', '/v1/audit-events/head']) {
      expect(Object.keys(body.paths[path].get.responses)).toContain('404');
    }
  });
});
