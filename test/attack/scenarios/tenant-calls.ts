import { randomUUID } from 'node:crypto';
import { unknownKey } from '../harness/attack.ts';
import type { Scenario } from '../scenario.ts';
import { createKey, importable, importMaximalKeys, seedAttackerKeys } from './key-material.ts';

/** Attacks of one tenant by how many calls it makes at once, and which. */
type Parts = Omit<Scenario, 'group'>;
const tenant = (parts: Parts): Scenario => ({ group: 'tenant', ...parts });

const MAXIMAL_KEYS = 240;
const PACE = { connections: 50, perSecond: 300 };

const atOnce = [
  tenant({
    name: 'at-once/creations-75',
    does: '75 creations at once, without a pause',
    attack: (attack) =>
      attack.hammer({ connections: 75 }, () => ({ path: '/v1/keys', body: { name: 'x' } })),
  }),
  tenant({
    name: 'at-once/rotations-75',
    does: '75 rotations of its own keys at once, without a pause',
    setUp: async (env, site) => {
      const made = await seedAttackerKeys(env, site, 75);
      return { ids: made.map(({ id }) => id) };
    },
    attack: (attack) => {
      const { ids = [] } = attack.given;
      return attack.hammer({ connections: 75 }, (count) => ({
        path: `/v1/keys/${ids[count % ids.length]}/rotate`,
        body: { graceSeconds: 0, supersede: true },
      }));
    },
  }),
  tenant({
    name: 'at-once/management-keys-75',
    does: '75 creations of management keys at once, without a pause',
    attack: (attack) =>
      attack.hammer({ connections: 75 }, () => ({
        path: '/v1/management-keys',
        body: { name: 'x', permissions: ['keys:verify'] },
      })),
  }),
];

const LISTS: [variant: string, path: string][] = [
  ['keys', '/v1/keys?limit=200'],
  ['audit', '/v1/audit-events?limit=200'],
  ['search', '/v1/keys?limit=200&search=imported&sort=name'],
];

const lists = LISTS.map(([variant, path]) =>
  tenant({
    name: `lists/${variant}`,
    does: `200 lists at once of keys that are as large as they may be: ${path}`,
    setUp: async (env, site) => {
      await importMaximalKeys(env, site, MAXIMAL_KEYS);
      return {};
    },
    attack: (attack) => attack.hammer({ connections: 200 }, () => ({ method: 'GET', path })),
  }),
);

const unknown = [
  tenant({
    name: 'unknown-strings/batch',
    does: 'batches of 100 unknown strings after an import, 50 a second',
    setUp: async (env, site) => {
      const keys = importable(1, (name) => ({ name })).map(({ item }) => item);
      await env.must('POST', '/v1/keys/import', { keys }, site.managementKey);
      return {};
    },
    attack: (attack) =>
      attack.hammer({ connections: 10, perSecond: 50 }, () => ({
        path: '/v1/verify/batch',
        body: { requests: Array.from({ length: 100 }, () => ({ key: randomUUID() })) },
      })),
  }),
  tenant({
    name: 'unknown-strings/verify',
    does: 'unknown strings, 300 a second',
    attack: (attack) =>
      attack.hammer(PACE, () => ({ path: '/v1/verify', body: { key: randomUUID() } })),
  }),
  tenant({
    name: 'unknown-strings/find',
    does: 'looks for the keys of unknown strings, 300 a second',
    attack: (attack) =>
      attack.hammer(PACE, () => ({ path: '/v1/keys/find', body: { key: unknownKey('ak_live') } })),
  }),
];

const floods = [
  tenant({
    name: 'floods/idempotency-keys',
    does: 'creations with a new Idempotency-Key each, 200 a second',
    attack: (attack) =>
      attack.hammer({ connections: 50, perSecond: 200 }, () => ({
        path: '/v1/keys',
        headers: { 'idempotency-key': randomUUID() },
        body: { name: 'x' },
      })),
  }),
  tenant({
    name: 'floods/one-idempotency-key',
    does: 'the same creation with the same Idempotency-Key, 100 at once',
    attack: (attack) =>
      attack.hammer({ connections: 100 }, (count) => ({
        path: '/v1/keys',
        headers: { 'idempotency-key': `the same ${Math.floor(count / 100)}`.replaceAll(' ', '-') },
        body: { name: 'x' },
      })),
  }),
  tenant({
    name: 'floods/audit',
    does: 'changes of one key, 200 a second, each of which has its entry in the log',
    setUp: async (env, site) => ({ ids: [(await createKey(env, site)).id] }),
    attack: (attack) =>
      attack.hammer({ connections: 50, perSecond: 200 }, (count) => ({
        method: 'PATCH',
        path: `/v1/keys/${attack.given.ids?.[0]}`,
        body: { name: `name ${count}` },
      })),
  }),
  tenant({
    name: 'floods/explain',
    does: 'asks for explanations of one key, 300 a second',
    setUp: async (env, site) => ({ ids: [(await createKey(env, site)).id] }),
    attack: (attack) =>
      attack.hammer(PACE, () => ({
        path: `/v1/keys/${attack.given.ids?.[0]}/explain`,
        body: { requiredScopes: ['a:b'] },
      })),
  }),
  tenant({
    name: 'floods/rate-limited',
    does: 'verifies a key that has reached its rate limit, 300 a second',
    setUp: async (env, site) => {
      const rateLimits = [{ name: 'only', limit: 1, windowSeconds: 3600 }];
      return { keys: [(await createKey(env, site, { rateLimits })).key] };
    },
    attack: (attack) =>
      attack.hammer(PACE, () => ({ path: '/v1/verify', body: { key: attack.given.keys?.[0] } })),
  }),
  tenant({
    name: 'floods/credits',
    does: 'spends credits of one key over 100 connections, as fast as they are answered',
    setUp: async (env, site) => {
      const credits = { remaining: 1_000_000_000 };
      return { keys: [(await createKey(env, site, { credits })).key] };
    },
    attack: (attack) =>
      attack.hammer({ connections: 100, perSecond: 500 }, () => ({
        path: '/v1/verify',
        body: { key: attack.given.keys?.[0] },
      })),
  }),
  tenant({
    name: 'floods/suspended',
    does: 'goes on calling while its workspace is suspended, 300 a second',
    setUp: async (env, site) => {
      const { key, id } = await createKey(env, site);
      await env.must('POST', `/v1/workspaces/${site.workspaceId}/suspend`, {});
      return { keys: [key], ids: [id] };
    },
    attack: (attack) =>
      attack.hammer(PACE, (count) =>
        count % 2 === 0
          ? { path: '/v1/verify', body: { key: attack.given.keys?.[0] } }
          : { path: `/v1/keys/${attack.given.ids?.[0]}/rotate`, body: { supersede: true } },
      ),
  }),
];

const LARGE_WORKSPACE = 20_000;

const endings = [
  tenant({
    name: 'endings/large-workspace',
    does: 'deletes a workspace with 20000 keys while its keys are verified',
    setUp: async (env, site) => {
      const made = await seedAttackerKeys(env, site, LARGE_WORKSPACE);
      return { keys: made.slice(0, 1000).map(({ key }) => key) };
    },
    attack: async (attack) => {
      const { keys = [] } = attack.given;
      const verify = attack.hammer({ connections: 20, perSecond: 200 }, (count) => ({
        path: '/v1/verify',
        body: { key: keys[count % keys.length] },
      }));
      await attack.pause(300);
      const path = `/v1/workspaces/${attack.target.workspaceId}`;
      await attack.send({ method: 'DELETE', path });
      await verify;
    },
  }),
  tenant({
    name: 'endings/import-and-revoke',
    does: 'imports 1000 keys and revokes them at once, in a loop',
    attack: (attack) =>
      attack.repeat({ connections: 2, perSecond: 4 }, async () => {
        const keys = importable(1000, (name) => ({ name, ownerId: 'somebody' }));
        const body = { keys: keys.map(({ item }) => item) };
        const { text } = await attack.send({ path: '/v1/keys/import', body });
        const ids = [...text.matchAll(/"keyId":"(key_\w+)"/g)].map(([, id]) => id);
        if (ids.length > 0) await attack.send({ path: '/v1/keys/bulk-revoke', body: { ids } });
      }),
  }),
];

export const TENANT_CALLS: readonly Scenario[] = [
  ...atOnce,
  ...lists,
  ...unknown,
  ...floods,
  ...endings,
];
