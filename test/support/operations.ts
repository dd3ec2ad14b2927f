import type { Permission } from '../../src/domain/caller.ts';

/** The permission that each call requires of a management key, by `operationId`. */
export const PERMISSION_OF: Record<string, Permission> = {
  verifyKey: 'keys:verify',
  verifyKeys: 'keys:verify',
  introspectKey: 'keys:verify',
  createKey: 'keys:write',
  importKeys: 'keys:write',
  listKeys: 'keys:read',
  getKey: 'keys:read',
  updateKey: 'keys:write',
  revokeKey: 'keys:revoke',
  deleteKey: 'keys:revoke',
  rotateKey: 'keys:write',
  endGrace: 'keys:write',
  changeCredits: 'keys:write',
  explainKey: 'keys:read',
  findKey: 'keys:read',
  bulkRevokeKeys: 'keys:revoke',
  erasePersonalData: 'keys:write',
  getKeyUsage: 'usage:read',
  getHygieneReport: 'keys:read',
  listHygieneKeys: 'keys:read',
  listHygieneOwners: 'keys:read',
  listIdleKeys: 'keys:read',
  getUsage: 'usage:read',
  listWorkspaces: 'workspaces:read',
  getWorkspace: 'workspaces:read',
  putWorkspace: 'workspaces:write',
  updateWorkspace: 'workspaces:write',
  suspendWorkspace: 'workspaces:write',
  resumeWorkspace: 'workspaces:write',
  deleteWorkspace: 'workspaces:write',
  createManagementKey: 'management:write',
  listManagementKeys: 'management:read',
  getManagementKey: 'management:read',
  updateManagementKey: 'management:write',
  rotateManagementKey: 'management:write',
  revokeManagementKey: 'management:write',
  createWebhook: 'webhooks:write',
  listWebhooks: 'webhooks:read',
  getWebhook: 'webhooks:read',
  updateWebhook: 'webhooks:write',
  rotateSigningSecret: 'webhooks:write',
  deleteWebhook: 'webhooks:write',
  listDeliveries: 'webhooks:read',
  pingWebhook: 'webhooks:write',
  redeliverEvents: 'webhooks:write',
  listAuditEvents: 'audit:read',
  getAuditHead: 'audit:read',
  listAlerts: 'alerts:read',
  getAlert: 'alerts:read',
  acknowledgeAlert: 'alerts:write',
};

/** Calls with another credential: that of a gateway, the presented key itself, a signature, or none. */
export const OTHERWISE_AUTHENTICATED = [
  ...['authorize', 'reportLeaks', 'reportLeaksByGithub', 'revokeOwnKey', 'whoAmI'],
];

interface Described {
  operationId?: string;
  requestBody?: unknown;
  security?: object[];
}

export interface Operation {
  id: string;
  method: string;
  /** With `{parameters}`. */
  path: string;
  hasBody: boolean;
  /** Whether the document declares another credential than a management key. */
  isOtherwiseAuthenticated: boolean;
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'options', 'head', 'trace'];

/** Every call that an OpenAPI document describes. */
export function operationsOf(paths: Record<string, Record<string, Described>>): Operation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, { operationId, requestBody, security }]) => ({
        id: operationId ?? `${method} ${path}`,
        method: method.toUpperCase(),
        path,
        hasBody: requestBody !== undefined,
        isOtherwiseAuthenticated: !takesManagementKey(security),
      })),
  );
}

/** By itself, or beside other ways to send it. */
export function takesManagementKey(security: readonly object[] | undefined): boolean {
  return security === undefined || security.some((one) => 'managementKey' in one);
}
