import type { KeyCredential } from '../../credentials/credential.ts';
import type { Verification } from '../verifier.ts';
import type { Introspection } from './schemas.ts';

/** Why a key is not active is told to nobody here. */
export function introspectionOf({ code, credential }: Verification): Introspection {
  return code === 'VALID' && credential ? activeKey(credential) : { active: false };
}

function activeKey(credential: KeyCredential): Introspection {
  const { keyId, ownerId, scopes, resources, notBefore, createdAt } = credential;
  const endsAt = Math.min(credential.expiresAt ?? Infinity, credential.validUntil ?? Infinity);
  return {
    active: true,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    client_id: keyId,
    token_type: 'Bearer',
    ...(endsAt < Infinity && { exp: toSeconds(endsAt) }),
    iat: toSeconds(createdAt),
    ...(notBefore !== null && { nbf: toSeconds(notBefore) }),
    sub: ownerId ?? keyId,
    keyward_workspace_id: credential.workspaceId,
    keyward_name: credential.name,
    ...(resources !== null && { keyward_resources: [...resources] }),
    ...(credential.stale && { keyward_stale: true }),
  };
}

/** Rounded down, so that a key never seems to be valid for longer than it is. */
function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
