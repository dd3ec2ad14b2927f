import { invalidField } from '../errors.ts';

/** The validity that a caller requests. */
export interface LifetimeInput {
  notBefore?: string | null | undefined;
  expiresAt?: string | null | undefined;
  expiresInSeconds?: number | undefined;
}

export interface Lifetime {
  notBefore: Date | null;
  expiresAt: Date | null;
}

/** The current validity with the requested changes applied. */
export function lifetime(current: Lifetime, input: LifetimeInput, at: Date): Lifetime {
  const expiresAt = requestedExpiry(current, input, at);
  const notBefore = input.notBefore === undefined ? current.notBefore : toDate(input.notBefore);
  if (notBefore && expiresAt && notBefore >= expiresAt) {
    throw invalidField('/body/notBefore', 'must be earlier than the expiry');
  }
  return { notBefore, expiresAt };
}

function requestedExpiry(current: Lifetime, input: LifetimeInput, at: Date): Date | null {
  const { expiresAt, expiresInSeconds } = input;
  if (expiresInSeconds !== undefined) {
    if (expiresAt === undefined || expiresAt === null)
      return new Date(at.getTime() + expiresInSeconds * 1000);
    throw invalidField(
      '/body/expiresInSeconds',
      'give either expiresAt or expiresInSeconds, not both',
    );
  }
  if (expiresAt === undefined) return current.expiresAt;
  const requested = toDate(expiresAt);
  // Also an expiry that has passed may be sent back as it was read.
  if (requested?.getTime() === current.expiresAt?.getTime()) return current.expiresAt;
  if (requested && requested <= at) {
    throw invalidField('/body/expiresAt', 'must be in the future');
  }
  return requested;
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
