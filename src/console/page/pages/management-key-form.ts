import type { Permission, Schemas } from '../api-types.ts';
import { changedParts, type Part } from '../conflict.ts';
import { fromLocal, toLocal } from '../local-time.ts';
import { knownPermissions } from '../words.ts';

type ManagementKey = Schemas['ManagementKey'];
type Update = Schemas['UpdateManagementKeyRequest'];

/** What can be changed of a management key. */
export interface ManagementKeyForm {
  name: string;
  permissions: readonly Permission[];
  expiresAt: string;
  maxRequestsPerSecond: string;
}

interface ManagementPart extends Part<ManagementKeyForm> {
  patch: (form: ManagementKeyForm) => Update;
}

export const MANAGEMENT_PARTS: readonly ManagementPart[] = [
  {
    label: 'Name',
    fields: ['name'],
    text: ({ name }) => name,
    patch: ({ name }) => ({ name }),
  },
  {
    label: 'Permissions',
    fields: ['permissions'],
    text: ({ permissions }) => permissions.join(', '),
    patch: ({ permissions }) => ({ permissions: [...permissions] }),
  },
  {
    label: 'Expires',
    fields: ['expiresAt'],
    text: ({ expiresAt }) => expiresAt.replace('T', ' ') || 'never',
    patch: ({ expiresAt }) => ({ expiresAt: fromLocal(expiresAt) }),
  },
  {
    label: 'Calls a second',
    fields: ['maxRequestsPerSecond'],
    text: ({ maxRequestsPerSecond: max }) => max.trim() || 'no limit',
    patch: ({ maxRequestsPerSecond: max }) => ({
      maxRequestsPerSecond: max.trim() === '' ? null : Number(max),
    }),
  },
];

export function managementKeyForm(key: ManagementKey): ManagementKeyForm {
  return {
    name: key.name,
    permissions: knownPermissions(key.permissions),
    expiresAt: toLocal(key.expiresAt),
    maxRequestsPerSecond: String(key.maxRequestsPerSecond ?? ''),
  };
}

export function managementPatchOf(key: ManagementKey, form: ManagementKeyForm): Update {
  const changed = changedParts(MANAGEMENT_PARTS, managementKeyForm(key), form);
  return Object.assign({}, ...changed.map(({ patch }) => patch(form)));
}
