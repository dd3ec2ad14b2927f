import type { ClientContext } from './client-context.ts';

/**
 * Every verdict, in the order in which the checks are made: the first that fails decides.
 * A client must treat a code it does not know as not valid.
 */
export const VERDICT_CODES = [
  'NOT_FOUND',
  'REVOKED',
  'WORKSPACE_SUSPENDED',
  'DISABLED',
  'NOT_YET_VALID',
  'EXPIRED',
  'IP_NOT_ALLOWED',
  'INSUFFICIENT_SCOPE',
  'RESOURCE_NOT_ALLOWED',
  'RATE_LIMITED',
  'CREDITS_EXHAUSTED',
  'VALID',
] as const;

export type VerdictCode = (typeof VERDICT_CODES)[number];

/** A secret whose uses are counted. */
export interface CountedSecret {
  readonly keyId: string;
  readonly ref: string;
}

/**
 * Counts verifications, each together with the use of its caller's management key: both, or neither
 * if it throws because there is no room. A returned promise is awaited before the answer.
 */
export interface VerdictCounter {
  /** Refuses if there is no room for one more verification and its caller, else keeps that room. */
  reserve(): () => void;
  /**
   * Units are what the verification cost, if it was VALID; uses of a management key have none. Of the
   * client it is kept for a moment from where the key was last used.
   */
  count(
    keyId: string,
    secretRef: string,
    code: VerdictCode,
    now: number,
    caller?: CountedSecret | null,
    units?: number,
    client?: ClientContext,
  ): Promise<void> | void;
  countUnmatched(
    workspaceId: string,
    now: number,
    caller?: CountedSecret | null,
  ): Promise<void> | void;
}
