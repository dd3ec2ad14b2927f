import { askerOf, requirePermission } from '../call-context.ts';
import type { Asker, IdentifiedCaller } from '../domain/caller.ts';

/** Who asks for a verification, about which workspace. */
export interface VerificationCaller extends Asker {
  /** Shared by the items of a batch: however many those are, the caller has made one call. */
  identified: IdentifiedCaller;
}

/** Refuses a caller that may not verify, or not in the requested workspace. */
export function verificationCaller(
  identified: IdentifiedCaller,
  requested: string | undefined,
): VerificationCaller {
  const { caller } = identified;
  requirePermission(caller, 'keys:verify');
  const { workspaceId, group } = askerOf(caller, requested);
  return { workspaceId, group, identified };
}
