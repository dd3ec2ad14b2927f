import type { Limit, Terms } from '../history.ts';
import { someExpiry, someIps, someResources, someScopes } from './asks.ts';
import { type Client, type Done, textOf, type Wish } from './client.ts';
import type { Random } from './random.ts';
import { type HeldKey, heldString, WORKSPACES, type World } from './world.ts';

/** What a management client works with. */
export interface Scene {
  client: Client;
  world: World;
  random: Random;
}

/** The keys that a change touched: they are verified at once, everywhere. */
export type Action = (scene: Scene) => Promise<HeldKey[]>;

const LIVING_KEYS = 36;
const CROWDED_KEYS = 4;
const LIVING_MANAGEMENT_KEYS = 4;
let names = 0;

async function createKey({ client, world, random }: Scene): Promise<HeldKey[]> {
  const workspaceId = random.pick(WORKSPACES);
  const limit = random.chance(0.3) ? someLimit(random) : null;
  const credits = random.chance(0.3) ? random.between(0, 60) : undefined;
  const scopes = someScopes(random);
  const terms: Terms = { scopes, limit, ...(credits !== undefined && { credits }) };
  const body = {
    name: freshName(),
    workspaceId,
    scopes,
    ...(random.chance(0.2) && { ownerId: 'somebody' }),
    ...(limit && { rateLimits: [rateLimit(limit)] }),
    ...(credits !== undefined && { credits: { remaining: credits } }),
  };
  const wish: Wish = {
    op: 'create',
    workspaceId,
    method: 'POST',
    path: '/v1/keys',
    body,
    targets: [],
    terms,
  };
  const { status, body: answer } = await client.change(random, wish);
  const [id, key] = [textOf(answer.id), textOf(answer.key)];
  if (status !== 201 || id === null || key === null) return [];
  const strings = [heldString(key)];
  const made = {
    id,
    workspaceId,
    strings,
    hasCredits: credits !== undefined,
    limit,
    isOver: false,
  };
  world.add(made);
  return [made];
}

const patchKey = onKey(async (scene, key) => {
  const { random } = scene;
  const terms: Terms = random.weighted([
    [4, { scopes: someScopes(random) }],
    [3, { resources: someResources(random) }],
    [3, { allowedIps: someIps(random) }],
    [3, { expiresAt: someExpiry(random) }],
    [6, { enabled: random.chance(0.5) }],
    [key.limit ? 5 : 0, { limit: key.limit && someLimit(random, key.limit.windowSeconds) }],
  ]);
  const { expiresAt, limit, ...plain } = terms;
  const body = {
    // Never what it was, so that each patch leaves an entry.
    name: freshName(),
    ...plain,
    ...(expiresAt !== undefined && { expiresAt: expiresAt && new Date(expiresAt).toISOString() }),
    ...(limit && { rateLimits: [rateLimit(limit)] }),
  };
  const path = `/v1/keys/${key.id}?workspaceId=${key.workspaceId}`;
  await change(scene, key, { op: 'patch', method: 'PATCH', path, body, terms });
});

const rotateKey = onKey(async (scene, key) => {
  const graceSeconds = scene.random.pick([0, 0, 2, 30]);
  const body = { workspaceId: key.workspaceId, graceSeconds, supersede: scene.random.chance(0.6) };
  const path = `/v1/keys/${key.id}/rotate`;
  const wish = { op: 'rotate', method: 'POST', path, body, terms: { graceSeconds } } as const;
  const { body: answer } = await change(scene, key, wish);
  const string = textOf(answer.key);
  if (string !== null) key.strings.push(heldString(string));
});

const endGrace = onKey(async (scene, key) => {
  const path = `/v1/keys/${key.id}/retiring-secret?workspaceId=${key.workspaceId}`;
  await change(scene, key, { op: 'end-grace', method: 'DELETE', path });
});

const revokeKey = onKey(async (scene, key) => {
  const path = `/v1/keys/${key.id}/revoke`;
  const body = { workspaceId: key.workspaceId };
  key.isOver = true;
  await change(scene, key, { op: 'revoke', method: 'POST', path, body });
});

const deleteKey = onKey(async (scene, key) => {
  const path = `/v1/keys/${key.id}?workspaceId=${key.workspaceId}`;
  key.isOver = true;
  await change(scene, key, { op: 'delete', method: 'DELETE', path });
});

const changeCredits = onKey(
  async (scene, key) => {
    const operation = scene.random.pick(['add', 'add', 'set'] as const);
    const amount = scene.random.between(0, 40);
    const path = `/v1/keys/${key.id}/credits`;
    const body = { workspaceId: key.workspaceId, operation, amount };
    const terms = { operation, amount };
    await change(scene, key, { op: 'credits', method: 'POST', path, body, terms });
  },
  ({ hasCredits }) => hasCredits,
);

async function bulkRevoke({ client, world, random }: Scene): Promise<HeldKey[]> {
  const workspaceId = random.pick(WORKSPACES);
  const own = world.living.filter((key) => key.workspaceId === workspaceId).slice(0, 3);
  if (own.length === 0) return [];
  const targets = own.map(({ id }) => id);
  const body = { workspaceId, ids: targets };
  const path = '/v1/keys/bulk-revoke';
  for (const key of own) key.isOver = true;
  await client.change(random, {
    op: 'bulk-revoke',
    workspaceId,
    method: 'POST',
    path,
    body,
    targets,
  });
  return own;
}

/** Suspended for a moment only, or there would be little to see of the others. */
async function suspend({ client, world, random }: Scene): Promise<HeldKey[]> {
  const id = random.pick(WORKSPACES.slice(1));
  const wish = (op: 'suspend' | 'resume'): Wish => {
    const path = `/v1/workspaces/${id}/${op}`;
    return { op, workspaceId: id, method: 'POST', path, targets: [id] };
  };
  await client.change(random, wish('suspend'));
  const own = world.living.filter((key) => key.workspaceId === id).slice(-3);
  await probe({ client, world, random }, own);
  for (;;) {
    const { status } = await client.change(random, wish('resume'));
    if (status === 200) return own;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function createManagementKey({ client, world, random }: Scene): Promise<HeldKey[]> {
  const body = { name: freshName(), permissions: ['keys:verify'] };
  const { status, body: answer } = await client.change(random, {
    op: 'create-management',
    workspaceId: 'default',
    method: 'POST',
    path: '/v1/management-keys',
    body,
    targets: [],
  });
  const [id, key] = [textOf(answer.id), textOf(answer.key)];
  if (status !== 201 || id === null || key === null) return [];
  world.managementKeys.push({ id, strings: [heldString(key)], isOver: false });
  if (world.managementKeys.length > 3 * LIVING_MANAGEMENT_KEYS) world.managementKeys.shift();
  return [];
}

async function changeManagementKey(scene: Scene): Promise<HeldKey[]> {
  const { client, world, random } = scene;
  const living = world.managementKeys.filter(({ isOver }) => !isOver);
  if (living.length < LIVING_MANAGEMENT_KEYS) return createManagementKey(scene);
  const key = random.pick(living);
  const base = { workspaceId: 'default', method: 'POST', targets: [key.id] };
  if (random.chance(0.5)) {
    key.isOver = true;
    const path = `/v1/management-keys/${key.id}/revoke`;
    await client.change(random, { ...base, op: 'revoke-management', path });
  } else {
    const graceSeconds = random.pick([0, 2]);
    const path = `/v1/management-keys/${key.id}/rotate`;
    const body = { graceSeconds, supersede: true };
    const terms = { graceSeconds };
    const { body: answer } = await client.change(random, {
      ...base,
      op: 'rotate-management',
      path,
      body,
      terms,
    });
    const string = textOf(answer.key);
    if (string !== null) key.strings.push(heldString(string));
  }
  const customer = world.living.at(-1);
  const string = customer?.strings.at(-1);
  if (!string) return [];
  for (const { ref, key: presented } of key.strings) {
    const as = { ref, key: presented };
    await Promise.all(client.instances.map((one) => client.verify(one, string, { cost: 0 }, as)));
  }
  return [];
}

/** At once and on every instance: what a change took away must be gone. */
export async function probe({ client, random }: Scene, keys: readonly HeldKey[]): Promise<void> {
  for (const key of keys) {
    const string = random.chance(0.7) ? key.strings.at(-1) : key.strings.at(-2);
    if (!string) continue;
    const ask = { scope: 'read', resource: 'project:a', ip: '192.0.2.1', cost: 1 };
    await Promise.all(client.instances.map((instance) => client.verify(instance, string, ask)));
  }
}

export function pickAction({ random, world }: Scene): Action {
  if (world.living.length < LIVING_KEYS) return createKey;
  return random.weighted([
    [40, patchKey],
    [14, rotateKey],
    [8, endGrace],
    [8, revokeKey],
    [4, deleteKey],
    [14, changeCredits],
    [2, bulkRevoke],
    [3, suspend],
    [6, changeManagementKey],
  ]);
}

function onKey(
  act: (scene: Scene, key: HeldKey) => Promise<void>,
  fits: (key: HeldKey) => boolean = () => true,
): Action {
  return async (scene) => {
    const fitting = scene.world.living.filter(fits);
    if (fitting.length === 0) return [];
    // Half of all changes go to a few keys, so that they overtake each other and what is read of them.
    const few = scene.random.chance(0.5) ? fitting.slice(-CROWDED_KEYS) : fitting;
    const key = scene.random.pick(few);
    await act(scene, key);
    return [key];
  };
}

function change(
  { client, random }: Scene,
  { id, workspaceId }: HeldKey,
  wish: Omit<Wish, 'workspaceId' | 'targets'>,
): Promise<Done> {
  return client.change(random, { ...wish, workspaceId, targets: [id] });
}

function someLimit(random: Random, windowSeconds = random.pick([1, 2, 4])): Limit {
  return { units: random.between(0, 12), windowSeconds };
}

function rateLimit({ units, windowSeconds }: Limit) {
  return { name: 'only', limit: units, windowSeconds };
}

function freshName(): string {
  return `n${names++}`;
}
