import type { CallContext } from '../call-context.ts';
import { MANAGEMENT_PREFIX, newId } from '../domain/key-string.ts';
import { invalidField } from '../errors.ts';
import { lifetime } from '../http/lifetime.ts';
import { toLimitColumns } from './limits.ts';
import { checkMetadata, mergeMetadata } from './metadata.ts';
import { checkLifetime, checkScopes, type WorkspacePolicies } from './policies.ts';
import type { CreateKey } from './schemas/requests.ts';
import type { NewKeyRow } from './store.ts';

/** The row of a new key, as wished and as its workspace's policies allow. */
export function newKeyRow(
  { actor }: CallContext,
  input: Omit<CreateKey, 'workspaceId'>,
  policies: WorkspacePolicies,
  at: Date,
): NewKeyRow {
  checkMetadata(input.metadata ?? {});
  checkScopes(policies, input.scopes ?? []);
  const wished = lifetime({ notBefore: null, expiresAt: null }, input, at);
  checkLifetime(policies, wished, at);
  return {
    id: newId('key'),
    workspaceId: policies.id,
    prefix: prefixOf(input, policies),
    name: input.name,
    description: input.description ?? null,
    ownerId: input.ownerId ?? null,
    scopes: input.scopes ?? [],
    resources: input.resources ?? null,
    allowedIps: input.allowedIps ?? null,
    metadata: mergeMetadata({}, input.metadata ?? {}),
    enabled: input.enabled ?? true,
    ...wished,
    ...toLimitColumns(null, input),
    createdAt: at,
    createdBy: actor,
    updatedAt: at,
  };
}

/** The wished prefix, or the workspace's. */
function prefixOf({ prefix }: { prefix?: string }, policies: WorkspacePolicies): string {
  const wished = prefix ?? policies.defaultPrefix;
  if (wished !== MANAGEMENT_PREFIX) return wished;
  throw invalidField('/body/prefix', `${MANAGEMENT_PREFIX} is the prefix of management keys`);
}
