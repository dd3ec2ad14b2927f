import { base62, forgeKey, partsOf } from '../../support/forged-key.ts';
import type { AttackRequest } from '../harness/attack.ts';
import type { AttackEnv } from '../harness/env.ts';
import type { Scenario } from '../scenario.ts';
import { createKey } from './key-material.ts';

/** The key of the checksums has leaked: forged strings pass the checksum, and cost more. */
const KEYS = 20;

export async function checksumKeyOf(env: AttackEnv): Promise<Buffer> {
  const [row] = await env.query<{ key: Buffer }>('select checksum_key as key from installation');
  if (!row) throw new Error('the migrations make one installation row');
  return row.key;
}

interface Variant {
  name: string;
  does: string;
  request: (
    forge: (prefix: string, ref?: string) => string,
    refs: readonly string[],
  ) => AttackRequest;
}

const VARIANTS: readonly Variant[] = [
  {
    name: 'forged/known-refs',
    does: 'forged strings with the refs of keys without stored proofs, 300 a second',
    request: (forge, [, ...refs]) => ({
      path: '/v1/verify',
      body: { key: forge('ak_live', refs[Math.floor(Math.random() * refs.length)]) },
    }),
  },
  {
    name: 'forged/unknown-refs',
    does: 'forged strings with refs that do not exist, 300 a second',
    request: (forge) => ({ path: '/v1/verify', body: { key: forge('ak_live') } }),
  },
  {
    name: 'forged/management-key',
    does: 'a stranger forges the secret of a management key without a stored proof, 300 a second',
    request: (forge, [ref]) => ({ method: 'GET', path: '/v1/keys', as: forge('kw', ref) }),
  },
  {
    name: 'forged/whoami',
    does: 'a stranger presents forged strings of known keys to /v1/whoami, 300 a second',
    request: (forge, [, ref]) => ({
      method: 'GET',
      path: '/v1/whoami',
      as: null,
      headers: { 'x-api-key': forge('ak_live', ref) },
    }),
  },
  {
    name: 'forged/find',
    does: 'looks for the keys of forged strings, 300 a second',
    request: (forge, [, ref]) => ({ path: '/v1/keys/find', body: { key: forge('ak_live', ref) } }),
  },
];

export const FORGED: readonly Scenario[] = VARIANTS.map(({ name, does, request }) => ({
  group: 'tenant',
  name,
  does,
  setUp: async (env, site) => {
    const made = await Promise.all(Array.from({ length: KEYS }, () => createKey(env, site)));
    const strings = [site.managementKey, ...made.map(({ key }) => key)];
    const refs = strings.map((key) => partsOf(key).ref);
    await env.query('delete from secret_proofs where ref = any($1)', [refs]);
    return { refs, checksumKey: [(await checksumKeyOf(env)).toString('base64')] };
  },
  attack: (attack) => {
    const { refs = [], checksumKey = [] } = attack.given;
    const key = Buffer.from(checksumKey[0] ?? '', 'base64');
    const forge = (prefix: string, ref = base62(16)) => forgeKey(prefix, ref, key);
    return attack.hammer({ connections: 100, perSecond: 300 }, () => request(forge, refs));
  },
}));
