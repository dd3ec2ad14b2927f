import { type KeyCredential, retiresAt } from '../credentials/credential.ts';
import { toIso } from '../domain/time.ts';
import type { ErrorCode, FieldError } from '../errors.ts';
import type { QuotaResult } from '../quotas/quota-limiter.ts';
import type { VerifyAnswer } from './schemas.ts';
import type { Verification } from './verifier.ts';

/** Answers are built as text, so their type must be set. */
export const ANSWER_TYPE = 'application/json; charset=utf-8';

/**
 * Answers are built as text: the fields of the key are the same in each of its verifications, so
 * they are serialised once for each cached credential. A test checks them against the schema.
 */
export function verificationJson(verification: Verification, requestId: string): string {
  const { code, credential, missingScopes, quota } = verification;
  const verdict = `{"valid":${code === 'VALID'},"code":"${code}",`;
  const id = `"requestId":"${requestId}"}`;
  if (!credential) return `${verdict}${NULL_FIELDS}${id}`;
  const fields = publicFieldsJson(credential);
  const missing = missingScopes.length === 0 ? '[]' : JSON.stringify(missingScopes);
  const consumed = quota ? quotaJson(quota) : '"credits":null,"rateLimits":null';
  return `${verdict}${fields},"missingScopes":${missing},${consumed},"stale":${credential.stale},${id}`;
}

/** An item of a batch that has a verdict. */
export function decidedItemJson(verification: Verification, requestId: string): string {
  return `${verificationJson(verification, requestId).slice(0, -1)},"errors":[]}`;
}

/** An item of a batch without a verdict: its code is that of an error, so it is not valid. */
export function failedItemJson(
  code: ErrorCode,
  errors: readonly FieldError[],
  requestId: string,
): string {
  const shown = JSON.stringify(errors);
  return `{"valid":false,"code":"${code}",${NULL_FIELDS}"requestId":"${requestId}","errors":${shown}}`;
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

const serialised = new WeakMap<KeyCredential, string>();

/** The fields of an answer that depend on the key and the presented secret alone. */
function publicFieldsJson(credential: KeyCredential): string {
  const known = serialised.get(credential);
  if (known !== undefined) return known;
  const json = innerJson(publicFields(credential));
  serialised.set(credential, json);
  return json;
}

function publicFields(credential: KeyCredential): PublicFields {
  const { keyId, workspaceId, name, ownerId, scopes, resources, metadata } = credential;
  const validUntil = retiresAt(credential);
  return {
    keyId,
    workspaceId,
    name,
    ownerId,
    scopes: [...scopes],
    resources: resources && [...resources],
    metadata,
    expiresAt: toIso(credential.expiresAt),
    rotation: { retiring: validUntil !== null, validUntil: toIso(validUntil) },
  };
}

/** An object as JSON, without its braces. */
function innerJson(fields: PublicFields): string {
  return JSON.stringify(fields).slice(1, -1);
}

function quotaJson({ credits, rateLimits }: QuotaResult): string {
  const shown = rateLimits.map(({ resetAt, ...limit }) => ({ ...limit, resetAt: toIso(resetAt) }));
  const balance = credits === null ? 'null' : `{"remaining":${credits}}`;
  return `"credits":${balance},"rateLimits":${JSON.stringify(shown)}`;
}
