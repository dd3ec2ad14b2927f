import { retiresAt } from '../credentials/credential.ts';
import { ROOT_CALLER } from '../domain/caller.ts';
import type { RateLimitStatus } from '../domain/limits.ts';
import { toIso } from '../domain/time.ts';
import type { WhoAmI } from './schemas.ts';
import type { PresentedKey } from './service.ts';

const NULL_FIELDS = {
  start: null,
  name: null,
  workspaceId: null,
  ownerId: null,
  scopes: null,
  resources: null,
  permissions: null,
  expiresAt: null,
  rateLimits: null,
  credits: null,
  rotation: { retiring: false, validUntil: null },
};

const ROOT: WhoAmI = {
  ...NULL_FIELDS,
  type: 'root',
  id: ROOT_CALLER.id,
  permissions: [...ROOT_CALLER.permissions],
};

export function presentPresentedKey(presented: PresentedKey): WhoAmI {
  if (presented === 'root') return ROOT;
  const { credential, start, quota } = presented;
  const { keyId: id, name, workspaceId, expiresAt } = credential;
  const validUntil = retiresAt(credential);
  const rotation = { retiring: validUntil !== null, validUntil: toIso(validUntil) };
  const common = { id, start, name, workspaceId, expiresAt: toIso(expiresAt), rotation };
  if (credential.kind === 'management') {
    const permissions = [...credential.caller.permissions];
    return { ...NULL_FIELDS, ...common, type: 'management_key', permissions };
  }
  const { ownerId, scopes, resources } = credential;
  const access = { scopes: [...scopes], resources: resources && [...resources] };
  return { ...NULL_FIELDS, ...common, type: 'key', ownerId, ...access, ...quota };
}

/** The rate limits of the presented key, with times in epoch milliseconds. */
export function limitsOf(presented: PresentedKey): RateLimitStatus[] {
  const limits = presented === 'root' ? [] : (presented.quota?.rateLimits ?? []);
  return limits.map((limit) => {
    return { ...limit, resetAt: limit.resetAt === null ? null : Date.parse(limit.resetAt) };
  });
}
