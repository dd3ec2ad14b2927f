import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Operation } from '../fuzz/document.ts';
import { filled, worstBodies } from './inputs.ts';
import { type BudgetWorld, presented } from './world.ts';

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
};

const QUERIES: Record<string, string[]> = {
  listKeys: ['workspaceId=worst&limit=200', 'workspaceId=*&limit=200&sort=name'],
  listAuditEvents: ['workspaceId=open&limit=200', 'workspaceId=*&limit=200'],
  listWorkspaces: ['limit=200'],
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

/** Every input of a call: the worst by its schema, the worst queries and its own. */
export function probesOf(operation: Operation, world: BudgetWorld): Probe[] {
  const { id: call, method } = operation;
  const path = pathOf(operation, world);
  const probe = (input: string, at: string, body: string | null): Probe => {
    const type = body === null ? {} : { 'content-type': 'application/json' };
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

function pathOf({ path }: Operation, { keyId, managementKeyId }: BudgetWorld): string {
  const id = path.includes('management')
    ? managementKeyId
    : path.includes('workspaces')
      ? 'worst'
      : keyId;
  return path.replace('{id}', id);
}
