import { invalidField } from '../errors.ts';

/** How callers say when something is valid. */
export interface LifetimeInput {
  notBefore?: string | null | undefined;
  expiresAt?: string | null | undefined;
  expiresInSeconds?: number | undefined;
}

export interface Lifetime {
  notBefore: Date | null;
  expiresAt: Date | null;
}

/** When something is valid, after the wishes have been applied to what was. */
export function lifetime(current: Lifetime, input: LifetimeInput, at: Date): Lifetime {
  const expiresAt = wishedExpiry(current, input, at);
  const notBefore = input.notBefore === undefined ? current.notBefore : toDate(input.notBefore);
  if (notBefore && expiresAt && notBefore >= expiresAt) {
    throw invalidField('/body/notBefore', 'must be earlier than the expiry');
  }
  return { notBefore, expiresAt };
}

function wishedExpiry(current: Lifetime, input: LifetimeInput, at: Date): Date | null {
  const { expiresAt, expiresInSeconds } = input;
  if (expiresInSeconds !== undefined) {
    if (expiresAt === undefined) return new Date(at.getTime() + expiresInSeconds * 1000);
    throw invalidField(
      '/body/expiresInSeconds',
      'give either expiresAt or expiresInSeconds, not both',
    );
  }
  if (expiresAt === undefined) return current.expiresAt;
  const wished = toDate(expiresAt);
  if (wished && wished <= at) throw invalidField('/body/expiresAt', 'must lie in the future');
  return wished;
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
