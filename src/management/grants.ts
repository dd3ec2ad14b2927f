import { workspaceScope } from '../call-context.ts';
import { type Caller, DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { KeywardError } from '../errors.ts';

/** The workspace of a new key; null, for all of them, only if that is said. Callers that are bound to one create keys of it alone. */
export function bindingOf(caller: Caller, requested: string | null | undefined): string | null {
  if (requested === undefined) return caller.workspaceId ?? DEFAULT_WORKSPACE;
  if (requested !== null) return workspaceScope(caller, requested);
  if (caller.workspaceId !== null) throw new KeywardError('NOT_FOUND');
  return null;
}

/** Refuses to hand out permissions that the caller lacks: a key's holder can do what the key may. */
export function requireGrantable({ permissions }: Caller, requested: readonly string[]): void {
  const held: ReadonlySet<string> = permissions;
  const missing = requested.filter((permission) => !held.has(permission));
  if (missing.length === 0) return;
  throw new KeywardError(
    'FORBIDDEN',
    `You cannot grant permissions that you do not have: ${missing.join(', ')}.`,
  );
}
