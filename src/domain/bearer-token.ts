const BEARER = /^Bearer +([^ ]+)$/i;

/** The credential in an `Authorization: Bearer` header (RFC 6750), or null. */
export function bearerToken(authorization: string | undefined): string | null {
  return BEARER.exec(authorization ?? '')?.[1] ?? null;
}
