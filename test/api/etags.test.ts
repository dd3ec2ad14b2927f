import { describe, expect, it } from 'vitest';
import type { CallOptions } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

/** A call with what it sends; `as` is the credential where it is not the root key's. */
type Call = [method: string, url: string, options?: CallOptions];

describe('ETags', () => {
  const pair = usePair();
  const tagOf = async (thing: string) =>
    String((await pair.second.call('GET', thing)).headers.etag);

  /** The tags of a thing: as it is, and after each of the calls, all of which succeed. */
  async function tagsAfter(thing: string, calls: readonly Call[]): Promise<string[]> {
    const tags = [await tagOf(thing)];
    for (const call of calls) {
      const answer = await pair.first.call(...call);
      expect(answer.status).toBeLessThan(300);
      tags.push(await tagOf(thing));
      const { etag } = answer.headers;
      if (etag !== undefined) expect(etag).toBe(tags.at(-1));
    }
    return tags;
  }

  async function expectAllDiffer(thing: string, calls: readonly Call[]): Promise<void> {
    const tags = await tagsAfter(thing, calls);
    expect(new Set(tags).size).toBe(calls.length + 1);
  }

  it('the ETag of a key changes with each change of its policy, its balance and its string', async () => {
    const { id } = await createKey(pair.first, { credits: { remaining: 5 } });
    const thing = `/v1/keys/${id}`;
    await expectAllDiffer(thing, [
      ['PATCH', thing, { body: { name: 'other' } }],
      ['PATCH', thing, { body: { credits: { remaining: 7 } } }],
      ['POST', `${thing}/credits`, { body: { operation: 'add', amount: 1 } }],
      ['POST', `${thing}/rotate`, { body: { graceSeconds: 60 } }],
      ['DELETE', `${thing}/retiring-secret`],
      ['POST', `${thing}/revoke`],
    ]);
  });

  it('the ETag of a key changes with a bulk revocation of it', async () => {
    const [one, two] = [await createKey(pair.first), await createKey(pair.first)];
    const body = { ids: [one.id, two.id] };
    const before = await tagOf(`/v1/keys/${two.id}`);
    await expectAllDiffer(`/v1/keys/${one.id}`, [['POST', '/v1/keys/bulk-revoke', { body }]]);
    expect(await tagOf(`/v1/keys/${two.id}`)).not.toBe(before);
  });

  it('the ETag of a key does not change with a dry run of a bulk revocation, or if the key is already revoked', async () => {
    const { id } = await createKey(pair.first);
    const bulk = (more: object): Call => ['POST', '/v1/keys/bulk-revoke', { body: more }];
    const tried = await tagsAfter(`/v1/keys/${id}`, [bulk({ ids: [id], dryRun: true })]);
    expect(new Set(tried).size).toBe(1);
    const repeated = await tagsAfter(`/v1/keys/${id}`, [bulk({ ids: [id] }), bulk({ ids: [id] })]);
    expect(repeated[2]).toBe(repeated[1]);
  });

  it('the ETag of a key or a management key changes when its holder revokes it', async () => {
    const key = await createKey(pair.first);
    const manager = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const revokeOwn = (as: string): Call => ['POST', '/v1/whoami/revoke', { as }];
    await expectAllDiffer(`/v1/keys/${key.id}`, [revokeOwn(key.key)]);
    await expectAllDiffer(`/v1/management-keys/${manager.id}`, [revokeOwn(manager.key)]);
  });

  it('the ETag of a management key changes when it is rotated and when it is revoked', async () => {
    const { id } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const thing = `/v1/management-keys/${id}`;
    await expectAllDiffer(thing, [
      ['POST', `${thing}/rotate`, { body: { graceSeconds: 0 } }],
      ['POST', `${thing}/revoke`],
    ]);
  });

  it('the ETag of a management key changes when its workspace is deleted', async () => {
    await putWorkspace(pair.first, 'left');
    const options = { permissions: ['keys:read'] as const, workspaceId: 'left' };
    const { id } = await createManagementKey(pair.first, options);
    await expectAllDiffer(`/v1/management-keys/${id}`, [['DELETE', '/v1/workspaces/left']]);
  });

  it('the ETag of a workspace changes with each change of its policies and its status', async () => {
    await putWorkspace(pair.first, 'changing');
    const thing = '/v1/workspaces/changing';
    await expectAllDiffer(thing, [
      ['PUT', thing, { body: { name: 'put' } }],
      ['PATCH', thing, { body: { maxActiveKeys: 3 } }],
      ['POST', `${thing}/suspend`],
      ['POST', `${thing}/resume`],
    ]);
  });

  it('a workspace that is created again after its deletion has none of the ETags that it had before', async () => {
    const { headers } = await putWorkspace(pair.first, 'again');
    const seen = new Set([headers.etag]);
    for (let life = 2; life <= 4; life++) {
      await pair.first.call('DELETE', '/v1/workspaces/again');
      seen.add((await putWorkspace(pair.first, 'again')).headers.etag);
      expect(seen.size).toBe(life);
    }
  });
});
