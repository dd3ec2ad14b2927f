import { randomUUID } from 'node:crypto';
import type { AuditOrigin } from './chain.ts';

/** Who acts through a command: anyone with access to the database, which is the authority. */
export function operatorOrigin(): AuditOrigin {
  const actor = { type: 'system', id: 'cli', onBehalfOf: null } as const;
  return { actor, requestId: `cli_${randomUUID()}`, ip: null };
}
