import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Operation } from '../fuzz/document.ts';
import { filled, worstBodies } from './inputs.ts';
import { type BudgetWorld, presented, RECEIVER } from './world.ts';

/** One input of one call. */
export interface Probe {
  call: string;
  input: string;
  method: string;
  path: string;
  body: string | null;
  headers: Record<string, string>;
  /** Whether every cached key is forgotten before it. */
  isCold: boolean;
}

const MEBIBYTE = 1_048_576;
const QUERY_LENGTH = 12_000;
const LEAKS_BYTES = 32_768;
const GITHUB_BYTES = 65_536;
const COLD = ', none of them cached';

/** What no schema says: inputs that are bad for what a call does with them. */
const OWN: Record<string, (world: BudgetWorld) => Record<string, string>> = {
  importKeys: () => ({
    'unknown scopes': importOf('worst', (i) => ({
      scopes: Array.from({ length: 20 }, (_, at) => `${'resource-'.repeat(4)}${i}${at}:raed`),
    })),
    'a thousand keys': importOf('open', () => ({})),
    'keys with limits': importOf('open', () => ({ credits: { remaining: 5 } })),
    'almost native keys': importOf('open', () => ({
      description: `${'a'.repeat(24)}_${'A'.repeat(65)} `.repeat(11),
    })),
  }),
  verifyKeys: () => ({
    'a hundred of the largest keys': batchOf(() => ({})),
    [`a hundred of the largest keys${COLD}`]: batchOf(() => ({})),
    'fifty scopes of each': batchOf((i) => ({
      requiredScopes: Array.from(
        { length: 50 },
        (_, at) => `${'resource-'.repeat(4)}${i + at}:read`,
      ),
    })),
    strangers: batchOf((i) => ({ key: `unknown ${i}` })),
  }),
  bulkRevokeKeys: () => ({
    'dry run by owner': JSON.stringify({ workspaceId: 'worst', ownerId: 'crowd', dryRun: true }),
  }),
  createWebhook: () => ({
    'of all types': JSON.stringify({ workspaceId: 'worst', url: RECEIVER }),
    'a long name of a host': JSON.stringify({
      url: `https://${'a.'.repeat(1000)}`,
      enabled: false,
    }),
    'a name that is encoded': JSON.stringify({
      url: `https://${'ß'.repeat(2000)}/`,
      enabled: false,
    }),
  }),
  redeliverEvents: () => ({
    'all that has happened': JSON.stringify({ after: '2020-01-01T00:00:00Z' }),
  }),
  reportLeaks: () => ({
    'strings like keys': leaksOf((i) => ({ key: keyLike(i), url: urlLike(i) })),
    strangers: leaksOf((i) => ({ key: `unknown ${i}` })),
    'a hundred of the largest keys': leaksOf((i) => ({ key: presented(i + 1), url: urlLike(i) })),
  }),
  reportLeaksByGithub: () => ({
    'strings like keys': githubLeaksOf((i) => ({ token: keyLike(i), url: urlLike(i) })),
    strangers: githubLeaksOf((i) => ({ token: `unknown ${i}` })),
    'a thousand of the largest keys': githubLeaksOf((i) => ({ token: presented(i + 1) })),
  }),
};

const QUERIES: Record<string, string[]> = {
  listKeys: ['workspaceId=worst&limit=200', 'workspaceId=*&limit=200&sort=name'],
  listAuditEvents: ['workspaceId=open&limit=200', 'workspaceId=*&limit=200'],
  listWorkspaces: ['limit=200'],
  listWebhooks: ['workspaceId=worst&limit=200', 'workspaceId=*&limit=200'],
  listDeliveries: ['limit=200', 'limit=200&status=failed'],
  listAlerts: ['workspaceId=worst&limit=200', 'workspaceId=*&limit=200&state=open'],
  getHygieneReport: ['workspaceId=worst'],
  listHygieneKeys: ['workspaceId=worst&limit=200'],
  listHygieneOwners: ['workspaceId=worst&limit=200'],
  listIdleKeys: ['workspaceId=worst&limit=200'],
  getUsage: ['workspaceId=worst&limit=200'],
  getKeyUsage: ['from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z'],
};

function importOf(workspaceId: string, fields: (index: number) => object): string {
  const item = (i: number) => {
    const value = createHash('sha256').update(`${Math.random()}`).digest('hex');
    return i < 1000
      ? JSON.stringify({ name: `k${i}`, hash: { algorithm: 'sha256', value }, ...fields(i) })
      : '0'.repeat(MEBIBYTE);
  };
  return filled(`{"workspaceId":"${workspaceId}","keys":[`, item, ']}', MEBIBYTE);
}

function batchOf(fields: (index: number) => object): string {
  const requests = Array.from({ length: 100 }, (_, i) => ({ key: presented(i + 1), ...fields(i) }));
  return JSON.stringify({ requests });
}

const keyLike = (i: number) => `ak_live_${String(i).padEnd(65, 'k')}`;
/** Shares parts with what is reported, but none that is long. */
const urlLike = (i: number) => `https://example.com/${'ak_live_kkkkkk/'.repeat(8)}${i}`;

function leaksOf(report: (index: number) => object): string {
  return filled('{"keys":[', (i) => JSON.stringify(report(i)), ']}', LEAKS_BYTES);
}

function githubLeaksOf(report: (index: number) => object): string {
  return filled('[', (i) => JSON.stringify(report(i)), ']', GITHUB_BYTES);
}

/** Every input of a call: the worst by its schema, the worst queries and its own. */
export function probesOf(operation: Operation, world: BudgetWorld): Probe[] {
  const { id: call, method } = operation;
  const path = pathOf(operation, world);
  const probe = (input: string, at: string, body: string | null): Probe => {
    const type = body === null ? {} : { 'content-type': operation.bodyType };
    return { call, input, method, path: at, body, headers: type, isCold: input.endsWith(COLD) };
  };
  const bodies = { ...worstBodies(operation), ...OWN[call]?.(world) };
  return [
    ...(operation.body ? [] : [probe('plain', path, null)]),
    ...(QUERIES[call] ?? []).map((query) => probe(`?${query}`, `${path}?${query}`, null)),
    probe('many unknown parameters', `${path}?${'a&'.repeat(QUERY_LENGTH / 2)}`, null),
    probe('a long cursor', `${path}?cursor=${'c'.repeat(QUERY_LENGTH)}`, null),
    ...Object.entries(bodies).map(([input, body]) => probe(input, path, body)),
  ];
}

/** The same input with other digests and another Idempotency-Key, so that it is all done again. */
export function anotherTime(body: string | null) {
  if (body === null) return { body, headers: {} };
  const fresh = body.replace(/"[0-9a-f]{64}"/g, () => `"${randomBytes(32).toString('hex')}"`);
  return { body: fresh, headers: { 'idempotency-key': randomUUID() } };
}

function pathOf({ path }: Operation, world: BudgetWorld): string {
  return path
    .replace('{ownerId}', 'crowd')
    .replace('{section}', 'never-used')
    .replace('{id}', idFor(path, world));
}

function idFor(path: string, world: BudgetWorld): string {
  if (path.startsWith('/v1/workspaces')) return 'worst';
  if (path.startsWith('/v1/webhooks')) return world.webhookId;
  if (path.startsWith('/v1/alerts')) return world.alertId;
  return path.startsWith('/v1/management-keys') ? world.managementKeyId : world.keyId;
}
