import { isIpAddress } from '../domain/ip.ts';
import { isAddressIn, isAllowedAddress } from '../domain/target-address.ts';
import { invalidField } from '../errors.ts';

export const MAX_URL_LENGTH = 2048;

/**
 * The URL as it is stored: an address in any notation is one address. Refuses what no webhook may be
 * sent to as far as the URL itself tells; where its name leads is checked at each connection.
 */
export function requireTarget(url: string, allowedNetworks: readonly string[]): URL {
  const target = URL.parse(url);
  if (!target || !/^https?:$/.test(target.protocol)) throw refused('must be an https URL');
  if (target.username || target.password) throw refused('must not hold credentials');
  target.hash = '';
  if (target.href.length > MAX_URL_LENGTH) {
    throw refused(`must not be longer than ${MAX_URL_LENGTH} characters once it is encoded`);
  }
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (isIpAddress(host) && !isAllowedAddress(host, allowedNetworks)) {
    throw refused('must be of a public host, or of a network of KEYWARD_WEBHOOK_NETWORKS');
  }
  if (target.protocol === 'http:' && !mayBePlain(host, allowedNetworks)) {
    throw refused('must be https; http is for the networks of KEYWARD_WEBHOOK_NETWORKS');
  }
  return target;
}

/** A name can lead into an allowed network, if there is one. */
function mayBePlain(host: string, allowedNetworks: readonly string[]): boolean {
  return isIpAddress(host) ? isAddressIn(host, allowedNetworks) : allowedNetworks.length > 0;
}

function refused(detail: string) {
  return invalidField('/body/url', detail);
}
