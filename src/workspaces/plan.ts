import type { Caller } from '../domain/caller.ts';
import { type FieldError, KeywardError, refusedFields } from '../errors.ts';
import { differs } from '../unit-of-work/difference.ts';
import type { WorkspaceInput } from './schemas.ts';
import type { WorkspaceRow } from './store.ts';

/** What the operator grants a tenant: set by callers that are bound to no workspace. */
export const PLAN_FIELDS = [
  'apiAccess',
  'maxActiveKeys',
  'maxKeys',
  'maxAuditEvents',
  'maxRequestsPerSecond',
] as const satisfies (keyof WorkspaceInput)[];

/** The plan as it is, which stays where a bound caller replaces its workspace. */
export function planOf(workspace: WorkspaceRow): WorkspaceInput {
  return Object.fromEntries(PLAN_FIELDS.map((name) => [name, workspace[name]]));
}

/** Refuses a bound caller that would change its own plan. */
export function requireSamePlan(
  caller: Caller,
  workspace: WorkspaceRow,
  input: WorkspaceInput,
): void {
  if (caller.workspaceId === null) return;
  const changed = PLAN_FIELDS.filter((name) => differs(workspace, { [name]: input[name] }));
  if (changed.length > 0) throw planIsFixed(changed);
}

/** Refuses a bound caller what ends a suspension or a deletion, which the operator decides. */
export function requireUnbound({ workspaceId }: Caller, action: string): void {
  if (workspaceId === null) return;
  throw new KeywardError('FORBIDDEN', `Only a management key for all workspaces can ${action}.`);
}

/** Whether its own workspace is suspended, as the row that a change has locked says. */
export function requireNotSuspended({ workspaceId }: Caller, { status }: WorkspaceRow): void {
  if (workspaceId === null || status !== 'suspended') return;
  throw new KeywardError('WORKSPACE_SUSPENDED');
}

function planIsFixed(fields: readonly string[]): KeywardError {
  const detail = 'only a management key for all workspaces can change this';
  const errors = fields.map((name): FieldError => ({ pointer: `/body/${name}`, detail }));
  return refusedFields('FORBIDDEN', errors);
}
