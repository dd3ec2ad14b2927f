import { beforeAll, describe, expect, it } from 'vitest';
import type { KeywardClient } from '../support/client.ts';
import {
  makeKey,
  makeWorkspace,
  ok,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';

/** One test for each call: docs/features.md names them. */
let program: SharedProgram;
let root: KeywardClient;
beforeAll(async () => {
  program = await startSharedProgram();
  root = program.root;
  return program.end;
});

describe('the hygiene report, call by call', () => {
  it('getHygieneReport counts the keys of each section', async () => {
    const workspaceId = await makeWorkspace(root);
    await makeKey(root, { workspaceId, scopes: ['*'] });
    const params = { query: { workspaceId, idleDays: 60 } };
    const report = await ok(root.GET('/v1/reports/hygiene', { params }));
    expect(report).toMatchObject({ workspaceId, parameters: { idleDays: 60, maxScopes: 10 } });
    expect(report.sections).toContainEqual({ section: 'all-scopes', count: 1, more: false });
    expect(report.sections).toContainEqual({ section: 'idle', count: 0, more: false });
  });

  it('listHygieneKeys lists the keys of a section, page by page', async () => {
    const workspaceId = await makeWorkspace(root);
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await makeKey(root, { workspaceId })).id);
    const path = { section: 'without-expiry' as const };
    const list = (cursor?: string) =>
      ok(
        root.GET('/v1/reports/hygiene/{section}', {
          params: { path, query: { workspaceId, limit: 2, ...(cursor && { cursor }) } },
        }),
      );
    const first = await list();
    const second = await list(first.nextCursor ?? '');
    const found = [...first.data, ...second.data];
    expect(found.map(({ id }) => id).sort()).toEqual(ids.sort());
    for (const { since, createdAt } of found) expect(since).toBe(createdAt);
    expect(second.nextCursor).toBeNull();
  });

  it('listHygieneOwners lists owners of whose keys none is active', async () => {
    const workspaceId = await makeWorkspace(root);
    await makeKey(root, { workspaceId, ownerId: 'stays' });
    const { id } = await makeKey(root, { workspaceId, ownerId: 'left' });
    const revoke = { params: { path: { id } }, body: { workspaceId } };
    await root.POST('/v1/keys/{id}/revoke', revoke);
    const params = { query: { workspaceId } };
    const url = '/v1/reports/hygiene/owners-without-active-keys';
    const { data } = await ok(root.GET(url, { params }));
    expect(data).toEqual([{ workspaceId, ownerId: 'left', keys: 1 }]);
  });
});

describe('the report of idle keys, call by call', () => {
  it('listIdleKeys says what an idle policy would do', async () => {
    const workspaceId = await makeWorkspace(root);
    await makeKey(root, { workspaceId });
    const tried = { warnAfterDays: 20, disableAfterDays: 50, revokeAfterDays: 0, noticeDays: 7 };
    const params = { query: { workspaceId, ...tried } };
    const report = await ok(root.GET('/v1/reports/idle-keys', { params }));
    expect(report).toMatchObject({ workspaceId, policy: { ...tried, revokeAfterDays: null } });
    expect(report).toMatchObject({ data: [], nextCursor: null });
  });
});
