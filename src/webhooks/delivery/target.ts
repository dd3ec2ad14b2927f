/** Refuses URLs that no webhook may be sent to, as far as the URL itself tells. */
export function requireTarget(url: string, _allowedNetworks: readonly string[]): URL {
  const target = URL.canParse(url) ? new URL(url) : null;
  if (!target || !/^https?:$/.test(target.protocol)) throw new Error('must be an https URL');
  return target;
}
