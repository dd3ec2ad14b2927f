import { randomBytes } from 'node:crypto';
import type { Scenario } from '../scenario.ts';
import { importable, longScopes, MAXIMAL_AT_ONCE, maximalKey } from './key-material.ts';
import { stalled } from './strangers.ts';

/** Attacks of one tenant by what its bodies contain. */
type Parts = Omit<Scenario, 'group'>;
const tenant = (parts: Parts): Scenario => ({ group: 'tenant', ...parts });

const LONG_SCOPES = 300;

const unknownScopes = (parts: Parts): Scenario =>
  tenant({
    ...parts,
    setUp: async (env, { workspaceId }) => {
      const scopes = longScopes(LONG_SCOPES, 'known');
      const availableScopes = scopes.map((scope) => ({ scope, title: 't', description: 'd' }));
      await env.must('PUT', `/v1/workspaces/${workspaceId}`, { availableScopes });
      return {};
    },
  });

const hints = [
  unknownScopes({
    name: 'unknown-scopes/import',
    does: 'imports of 300 items with unknown scopes in a workspace of 300 long ones',
    attack: (attack) =>
      attack.hammer({ connections: 4, perSecond: 10 }, () => {
        const scopes = longScopes(20, randomBytes(3).toString('hex'));
        const made = importable(300, (name) => ({ name, scopes }));
        return { path: '/v1/keys/import', body: { keys: made.map(({ item }) => item) } };
      }),
  }),
  unknownScopes({
    name: 'unknown-scopes/create',
    does: 'creations with 100 unknown scopes each in a workspace of 300 long ones',
    attack: (attack) =>
      attack.hammer({ connections: 20 }, () => ({
        path: '/v1/keys',
        body: { name: 'x', scopes: longScopes(100, randomBytes(3).toString('hex')) },
      })),
  }),
];

const zeros = (bytes: number) => `[${'0,'.repeat(bytes / 2)}0]`;
const BYTES_PER_SECOND = 40_000_000;
const OVERSIZED: [variant: string, path: string, make: () => string][] = [
  ['import', '/v1/keys/import', () => `{"keys":${zeros(1_000_000)}}`],
  ['batch', '/v1/verify/batch', () => `{"requests":${zeros(1_000_000)}}`],
  ['bulk-revoke', '/v1/keys/bulk-revoke', () => `{"ids":${zeros(64_000)}}`],
  ['scopes', '/v1/keys', () => `{"name":"x","scopes":${zeros(64_000)}}`],
  ['metadata', '/v1/keys', () => `{"name":"x","metadata":{"a":${zeros(64_000)}}}`],
  ['nesting', '/v1/keys/import', () => `{"keys":${'['.repeat(500_000)}${']'.repeat(500_000)}}`],
];

const oversized = OVERSIZED.map(([variant, path, make]) =>
  tenant({
    name: `oversized-arrays/${variant}`,
    does: `bodies far over the bounds of ${path}, as large as they may be in bytes`,
    attack: (attack) => {
      const body = make();
      const perSecond = Math.min(100, BYTES_PER_SECOND / body.length);
      return attack.hammer({ connections: 4, perSecond }, () => ({ path, body }));
    },
  }),
);

/** Each place where a key could begin costs a checksum. */
const candidates = tenant({
  name: 'texts/candidates',
  does: 'texts full of what could be a key, 50 a second',
  attack: (attack) => {
    const text = `${'a_'.repeat(12)}${'0'.repeat(65)} `.repeat(11).slice(0, 1000);
    const metadata = Object.fromEntries(Array.from({ length: 7 }, (_, at) => [`m${at}`, text]));
    return attack.hammer({ connections: 10, perSecond: 50 }, () => ({
      path: '/v1/keys',
      body: { name: 'x', description: text, metadata },
    }));
  },
});

const STALLED: [variant: string, count: number, path: string][] = [
  ['verify-2050', 2050, '/v1/verify'],
  ['batch-200', 200, '/v1/verify/batch'],
  ['import-200', 200, '/v1/keys/import'],
  ['create-200', 200, '/v1/keys'],
  ['management-keys-200', 200, '/v1/management-keys'],
];

const stalledBodies = STALLED.map(([variant, count, path]) =>
  tenant({
    name: `tenant-stalled-bodies/${variant}`,
    does: `${count} sockets send one byte of a body to ${path} with a valid management key`,
    attack: (attack) => attack.hold(count, stalled(path, attack.target.managementKey)),
  }),
);

const fillCache = [
  tenant({
    name: 'fill-memory/imported',
    does: 'imports keys as large as they may be, and verifies them, without an end',
    attack: (attack) =>
      attack.repeat({ connections: 4, perSecond: 5 }, async () => {
        const made = importable(MAXIMAL_AT_ONCE, maximalKey);
        const body = { keys: made.map(({ item }) => item) };
        await attack.send({ path: '/v1/keys/import', body });
        const requests = made.map(({ string }) => ({ key: string }));
        await attack.send({ path: '/v1/verify/batch', body: { requests } });
      }),
  }),
  tenant({
    name: 'fill-memory/created',
    does: 'creates keys as large as they may be, and verifies each',
    attack: (attack) =>
      attack.repeat({ connections: 10 }, async () => {
        const { text } = await attack.send({ path: '/v1/keys', body: maximalKey('large') });
        const key = /"key":"([^"]+)"/.exec(text)?.[1] ?? 'none';
        await attack.send({ path: '/v1/verify', body: { key } });
      }),
  }),
];

export const TENANT_BODIES: readonly Scenario[] = [
  ...hints,
  ...oversized,
  candidates,
  ...stalledBodies,
  ...fillCache,
];
