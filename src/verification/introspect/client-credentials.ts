/**
 * OAuth clients often authenticate by HTTP Basic (`client_secret_basic`, RFC 6749). The management key
 * is the password; the user name does not matter. Returns what the same caller would send as Bearer.
 */
export function asBearer(authorization: string | undefined): string | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '') ?? [];
  if (encoded === undefined) return authorization;
  const credentials = Buffer.from(encoded, 'base64').toString('latin1');
  const [, password] = /^[^:]*:(\S+)$/.exec(credentials) ?? [];
  return password === undefined ? undefined : `Bearer ${password}`;
}
