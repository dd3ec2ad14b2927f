import type { VerifyAnswer } from './schemas.ts';
import type { SpentQuota, Verification } from './verifier.ts';

/**
 * Answers are put together as text: what they say of a key is the same for each of its
 * verifications, so it is serialised once, when the key's state is loaded. A test holds them to
 * the schema.
 */
export function verificationJson(verdict: Verification, requestId: string): string {
  const { code, credential: state, missingScopes, quota: spending } = verdict;
  const head = `{"valid":${code === 'VALID'},"code":"${code}",`;
  const id = `"requestId":"${requestId}"}`;
  if (!state) return `${head}${NULL_FIELDS}${id}`;
  const missing = missingScopes.length === 0 ? '[]' : JSON.stringify(missingScopes);
  const spent = spending ? quotaJson(spending) : '"credits":null,"rateLimits":null';
  return `${head}${state.shown},"missingScopes":${missing},${spent},"stale":${state.stale},${id}`;
}

/** For one of a batch that could not be decided: its code is no verdict, so nobody takes it for one. */
export function undecidedJson(requestId: string): string {
  return `{"valid":false,"code":"UNAVAILABLE",${NULL_FIELDS}"requestId":"${requestId}"}`;
}

type PublicFields = Pick<
  VerifyAnswer,
  | 'keyId'
  | 'workspaceId'
  | 'name'
  | 'ownerId'
  | 'scopes'
  | 'resources'
  | 'metadata'
  | 'expiresAt'
  | 'rotation'
>;

/** What outsiders learn of a key that they cannot prove: nothing. */
const NULL_FIELDS = `${innerJson({
  keyId: null,
  workspaceId: null,
  name: null,
  ownerId: null,
  scopes: null,
  resources: null,
  metadata: null,
  expiresAt: null,
  rotation: null,
})},"missingScopes":null,"credits":null,"rateLimits":null,"stale":false,`;

/** The fields of an answer that depend on the key and the presented secret alone. */
export function publicFieldsJson(key: {
  keyId: string;
  workspaceId: string;
  name: string;
  ownerId: string | null;
  scopes: readonly string[];
  resources: readonly string[] | null;
  metadata: VerifyAnswer['metadata'];
  expiresAt: number | null;
  validUntil: number | null;
}): string {
  const { keyId, workspaceId, name, ownerId, scopes, resources, metadata } = key;
  return innerJson({
    keyId,
    workspaceId,
    name,
    ownerId,
    scopes: [...scopes],
    resources: resources && [...resources],
    metadata,
    expiresAt: iso(key.expiresAt),
    rotation: { retiring: key.validUntil !== null, validUntil: iso(key.validUntil) },
  });
}

/** An object as JSON, without its braces. */
function innerJson(shown: PublicFields): string {
  return JSON.stringify(shown).slice(1, -1);
}

function quotaJson({ credits, rateLimits }: SpentQuota): string {
  const shown = rateLimits.map(({ resetAt, ...limit }) => ({ ...limit, resetAt: iso(resetAt) }));
  const balance = credits === null ? 'null' : `{"remaining":${credits}}`;
  return `"credits":${balance},"rateLimits":${JSON.stringify(shown)}`;
}

function iso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
