import type { ChangedFields, Limit } from '../history.ts';
import { type ChangeRequest, type ChangeResult, type Client, textOf } from './client.ts';
import type { Random } from './random.ts';
import { randomExpiry, randomIps, randomResources, randomScopes } from './random-values.ts';
import { type KnownKey, knownString, WORKSPACES, type World } from './world.ts';

/** Everything that a client needs. */
export interface ClientContext {
  client: Client;
  world: World;
  random: Random;
}

/** Makes a change and returns the keys that it affected, which are then verified everywhere. */
export type Action = (context: ClientContext) => Promise<KnownKey[]>;

const ACTIVE_KEYS = 36;
const CONTENDED_KEYS = 4;
const ACTIVE_MANAGEMENT_KEYS = 4;
let names = 0;

async function createKey({ client, world, random }: ClientContext): Promise<KnownKey[]> {
  const workspaceId = random.pick(WORKSPACES);
  const limit = random.chance(0.3) ? randomLimit(random) : null;
  const credits = random.chance(0.3) ? random.between(0, 60) : undefined;
  const scopes = randomScopes(random);
  const changed: ChangedFields = { scopes, limit, ...(credits !== undefined && { credits }) };
  const body = {
    name: freshName(),
    workspaceId,
    scopes,
    ...(random.chance(0.2) && { ownerId: 'somebody' }),
    ...(limit && { rateLimits: [rateLimit(limit)] }),
    ...(credits !== undefined && { credits: { remaining: credits } }),
  };
  const request: ChangeRequest = {
    op: 'create',
    workspaceId,
    method: 'POST',
    path: '/v1/keys',
    body,
    targets: [],
    changed,
  };
  const { status, body: answer } = await client.change(random, request);
  const [id, key] = [textOf(answer.id), textOf(answer.key)];
  if (status !== 201 || id === null || key === null) return [];
  const strings = [knownString(key)];
  const made = {
    id,
    workspaceId,
    strings,
    hasCredits: credits !== undefined,
    limit,
    hasEnded: false,
  };
  world.add(made);
  return [made];
}

const patchKey = onKey(async (context, key) => {
  const { random } = context;
  const changed: ChangedFields = random.weighted([
    [4, { scopes: randomScopes(random) }],
    [3, { resources: randomResources(random) }],
    [3, { allowedIps: randomIps(random) }],
    [3, { expiresAt: randomExpiry(random) }],
    [6, { enabled: random.chance(0.5) }],
    [key.limit ? 5 : 0, { limit: key.limit && randomLimit(random, key.limit.windowSeconds) }],
  ]);
  const { expiresAt, limit, ...plain } = changed;
  const body = {
    // Always another name, so that each patch has an audit entry.
    name: freshName(),
    ...plain,
    ...(expiresAt !== undefined && { expiresAt: expiresAt && new Date(expiresAt).toISOString() }),
    ...(limit && { rateLimits: [rateLimit(limit)] }),
  };
  const path = `/v1/keys/${key.id}?workspaceId=${key.workspaceId}`;
  await change(context, key, { op: 'patch', method: 'PATCH', path, body, changed });
});

const rotateKey = onKey(async (context, key) => {
  const graceSeconds = context.random.pick([0, 0, 2, 30]);
  const body = {
    workspaceId: key.workspaceId,
    graceSeconds,
    supersede: context.random.chance(0.6),
  };
  const path = `/v1/keys/${key.id}/rotate`;
  const request = { op: 'rotate', method: 'POST', path, body, changed: { graceSeconds } } as const;
  const { body: answer } = await change(context, key, request);
  const string = textOf(answer.key);
  if (string !== null) key.strings.push(knownString(string));
});

const endGrace = onKey(async (context, key) => {
  const path = `/v1/keys/${key.id}/retiring-secret?workspaceId=${key.workspaceId}`;
  await change(context, key, { op: 'end-grace', method: 'DELETE', path });
});

const revokeKey = onKey(async (context, key) => {
  const path = `/v1/keys/${key.id}/revoke`;
  const body = { workspaceId: key.workspaceId };
  key.hasEnded = true;
  await change(context, key, { op: 'revoke', method: 'POST', path, body });
});

const deleteKey = onKey(async (context, key) => {
  const path = `/v1/keys/${key.id}?workspaceId=${key.workspaceId}`;
  key.hasEnded = true;
  await change(context, key, { op: 'delete', method: 'DELETE', path });
});

const changeCredits = onKey(
  async (context, key) => {
    const operation = context.random.pick(['add', 'add', 'set'] as const);
    const amount = context.random.between(0, 40);
    const path = `/v1/keys/${key.id}/credits`;
    const body = { workspaceId: key.workspaceId, operation, amount };
    const changed = { operation, amount };
    await change(context, key, { op: 'credits', method: 'POST', path, body, changed });
  },
  ({ hasCredits }) => hasCredits,
);

async function bulkRevoke({ client, world, random }: ClientContext): Promise<KnownKey[]> {
  const workspaceId = random.pick(WORKSPACES);
  const own = world.activeKeys.filter((key) => key.workspaceId === workspaceId).slice(0, 3);
  if (own.length === 0) return [];
  const targets = own.map(({ id }) => id);
  const body = { workspaceId, ids: targets };
  const path = '/v1/keys/bulk-revoke';
  for (const key of own) key.hasEnded = true;
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

/** Suspends a workspace for a moment only, since the suspension hides every other verdict. */
async function suspend({ client, world, random }: ClientContext): Promise<KnownKey[]> {
  const id = random.pick(WORKSPACES.slice(1));
  const request = (op: 'suspend' | 'resume'): ChangeRequest => {
    const path = `/v1/workspaces/${id}/${op}`;
    return { op, workspaceId: id, method: 'POST', path, targets: [id] };
  };
  await client.change(random, request('suspend'));
  const own = world.activeKeys.filter((key) => key.workspaceId === id).slice(-3);
  await probe({ client, world, random }, own);
  for (;;) {
    const { status } = await client.change(random, request('resume'));
    if (status === 200) return own;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function createManagementKey({ client, world, random }: ClientContext): Promise<KnownKey[]> {
  const body = { name: freshName(), permissions: ['keys:verify'], workspaceId: null };
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
  world.managementKeys.push({ id, strings: [knownString(key)], hasEnded: false });
  if (world.managementKeys.length > 3 * ACTIVE_MANAGEMENT_KEYS) world.managementKeys.shift();
  return [];
}

async function changeManagementKey(context: ClientContext): Promise<KnownKey[]> {
  const { client, world, random } = context;
  const living = world.managementKeys.filter(({ hasEnded }) => !hasEnded);
  if (living.length < ACTIVE_MANAGEMENT_KEYS) return createManagementKey(context);
  const key = random.pick(living);
  const base = { workspaceId: 'default', method: 'POST', targets: [key.id] };
  if (random.chance(0.5)) {
    key.hasEnded = true;
    const path = `/v1/management-keys/${key.id}/revoke`;
    await client.change(random, { ...base, op: 'revoke-management', path });
  } else {
    const graceSeconds = random.pick([0, 2]);
    const path = `/v1/management-keys/${key.id}/rotate`;
    const body = { graceSeconds, supersede: true };
    const changed = { graceSeconds };
    const { body: answer } = await client.change(random, {
      ...base,
      op: 'rotate-management',
      path,
      body,
      changed,
    });
    const string = textOf(answer.key);
    if (string !== null) key.strings.push(knownString(string));
  }
  const customer = world.activeKeys.at(-1);
  const string = customer?.strings.at(-1);
  if (!string) return [];
  for (const { ref, key: presented } of key.strings) {
    const as = { ref, key: presented };
    await Promise.all(client.instances.map((one) => client.verify(one, string, { cost: 0 }, as)));
  }
  return [];
}

/** Verifies keys on every instance right after a change: what it took away must be gone. */
export async function probe(
  { client, random }: ClientContext,
  keys: readonly KnownKey[],
): Promise<void> {
  for (const key of keys) {
    const string = random.chance(0.7) ? key.strings.at(-1) : key.strings.at(-2);
    if (!string) continue;
    const requested = { scope: 'read', resource: 'project:a', ip: '192.0.2.1', cost: 1 };
    await Promise.all(
      client.instances.map((instance) => client.verify(instance, string, requested)),
    );
  }
}

export function pickAction({ random, world }: ClientContext): Action {
  if (world.activeKeys.length < ACTIVE_KEYS) return createKey;
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
  act: (context: ClientContext, key: KnownKey) => Promise<void>,
  fits: (key: KnownKey) => boolean = () => true,
): Action {
  return async (context) => {
    const fitting = context.world.activeKeys.filter(fits);
    if (fitting.length === 0) return [];
    // Half of all changes go to a few keys, so that they race with each other and with loads.
    const few = context.random.chance(0.5) ? fitting.slice(-CONTENDED_KEYS) : fitting;
    const key = context.random.pick(few);
    await act(context, key);
    return [key];
  };
}

function change(
  { client, random }: ClientContext,
  { id, workspaceId }: KnownKey,
  request: Omit<ChangeRequest, 'workspaceId' | 'targets'>,
): Promise<ChangeResult> {
  return client.change(random, { ...request, workspaceId, targets: [id] });
}

function randomLimit(random: Random, windowSeconds = random.pick([1, 2, 4])): Limit {
  return { units: random.between(0, 12), windowSeconds };
}

function rateLimit({ units, windowSeconds }: Limit) {
  return { name: 'only', limit: units, windowSeconds };
}

function freshName(): string {
  return `n${names++}`;
}
