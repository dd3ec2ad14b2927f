import type { Actor } from '../domain/caller.ts';
import { canonicalIpRanges } from '../domain/ip.ts';
import { MANAGEMENT_PREFIX, newId } from '../domain/key-string.ts';
import { invalidField } from '../errors.ts';
import { lifetime } from '../http/lifetime.ts';
import { checkSize } from './key-size.ts';
import { checkMetadata, mergeMetadata } from './metadata.ts';
import { checkLifetime, checkScopes, type ScopeCheck } from './policy-checks.ts';
import { policyVersionOf } from './policy-version.ts';
import { toQuotaColumns } from './quota-columns.ts';
import { pickPlain, plainFields } from './schemas/fields.ts';
import { variant } from './schemas/plain-field.ts';
import type { CreateKey } from './schemas/requests.ts';
import type { NewKeyRow } from './store.ts';
import type { WorkspacePolicies } from './workspace-policies.ts';

/** What is requested of a new key. */
export type NewKeyInput = Omit<CreateKey, 'workspaceId'>;

/** The row of a new key, as requested and as its workspace's policies allow. */
export function newKeyRow(
  createdBy: Actor,
  input: NewKeyInput,
  policies: WorkspacePolicies,
  at: Date,
  { suggest }: Pick<ScopeCheck, 'suggest'> = { suggest: true },
): NewKeyRow {
  const metadata = mergeMetadata({}, input.metadata ?? null);
  checkMetadata(metadata);
  const plain = pickPlain({ ...INITIAL, ...input });
  checkSize({ ...plain, metadata });
  checkScopes(policies, plain.scopes, { suggest });
  const valid = lifetime({ notBefore: null, expiresAt: null }, input, at);
  checkLifetime(policies, valid, at);
  const quotas = { ...NO_QUOTAS, ...toQuotaColumns(input, NO_QUOTAS) };
  return {
    id: newId('key'),
    workspaceId: policies.id,
    prefix: prefixOf(input, policies),
    ...plain,
    allowedIps: plain.allowedIps && canonicalIpRanges(plain.allowedIps),
    ...valid,
    ...quotas,
    metadata,
    minPolicyVersion: policyVersionOf(quotas),
    createdAt: at,
    createdBy,
    updatedAt: at,
  };
}

const INITIAL = variant(plainFields, 'initial');
/** Every column, so that rows of one import have the same. */
const NO_QUOTAS = {
  limitNames: [],
  limitUnits: [],
  limitWindows: [],
  creditsLimited: false,
  refillInterval: null,
  refillAmount: null,
  refillDay: null,
};

/** The requested prefix, or the workspace's. */
function prefixOf({ prefix }: NewKeyInput, { defaultPrefix }: WorkspacePolicies): string {
  const requested = prefix ?? defaultPrefix;
  if (requested !== MANAGEMENT_PREFIX) return requested;
  throw invalidField('/body/prefix', `${MANAGEMENT_PREFIX} is the prefix of management keys`);
}
