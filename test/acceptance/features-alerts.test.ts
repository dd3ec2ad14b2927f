import { beforeAll, expect, it, vi } from 'vitest';
import type { KeywardClient } from '../support/client.ts';
import { at, makeKey, makeWorkspace, ok, startSharedProgram } from '../support/shared-program.ts';

/** One test for each call: docs/features.md names them. The job looks once a minute. */
const WAIT_MS = 90_000;

let root: KeywardClient;
let query: { workspaceId: string; state: 'open' };
let keyId: string;
const list = () => ok(root.GET('/v1/alerts', { params: { query } }));

beforeAll(async () => {
  const program = await startSharedProgram();
  root = program.root;
  const workspaceId = await makeWorkspace(root);
  query = { workspaceId, state: 'open' };
  const { id, key } = await makeKey(root, { workspaceId, credits: { remaining: 5 } });
  keyId = id;
  await ok(root.POST('/v1/verify', { body: { key } }));
  const isOpen = async () => expect((await list()).data).toHaveLength(1);
  await vi.waitFor(isOpen, { timeout: WAIT_MS, interval: 1000 });
  return program.end;
}, WAIT_MS + 30_000);

it('listAlerts shows that a key runs out of credits', async () => {
  const { data, nextCursor } = await list();
  expect(data).toMatchObject([
    {
      ...{ type: 'credits_low', target: { type: 'key', id: keyId }, state: 'open' },
      details: { remaining: 4, threshold: 100 },
    },
  ]);
  expect(nextCursor).toBeNull();
});

it('getAlert shows one alert', async () => {
  const [alert] = (await list()).data;
  expect(await ok(root.GET('/v1/alerts/{id}', at(alert?.id ?? '')))).toEqual(alert);
});

it('acknowledgeAlert says that someone has seen an alert, with a note', async () => {
  const [alert] = (await list()).data;
  const body = { note: 'Asked for more.' };
  const call = root.POST('/v1/alerts/{id}/acknowledge', { ...at(alert?.id ?? ''), body });
  expect(await ok(call)).toMatchObject({
    ...{ id: alert?.id, state: 'open', acknowledgeNote: 'Asked for more.' },
    acknowledgedBy: { type: 'root', id: 'root' },
  });
});
