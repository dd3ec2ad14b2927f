import ipaddr from 'ipaddr.js';
import { type IpRange, isIpAddress, isIpAllowed, knownRange } from './ip.ts';

/** What IANA assigns to networks that all can reach; ipaddr.js names the exceptions within. */
const GLOBAL_IPV6 = ipaddr.IPv6.parse('2000::');
const GLOBAL_IPV6_BITS = 3;

/** Whether a webhook may be sent to the address: a public one, or one of the allowed networks. */
export function isAllowedAddress(address: string, allowedNetworks: readonly string[]): boolean {
  return isPublicAddress(address) || isAddressIn(address, allowedNetworks);
}

/** Whether the address is in one of the networks. An IPv4-mapped one is the IPv4 address in it. */
export function isAddressIn(address: string, networks: readonly string[]): boolean {
  return isPlainAddress(address) && isIpAllowed(networks.map(knownRange), address);
}

/** Whether it is a globally routable unicast address; an IPv6 one that carries an IPv4 one is none. */
function isPublicAddress(address: string): boolean {
  return isPlainAddress(address) && isGlobalUnicast(knownRange(address)[0]);
}

function isGlobalUnicast(address: IpRange[0]): boolean {
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_IPV6, GLOBAL_IPV6_BITS);
}

/** Without a zone id, which is for the links of one machine. */
function isPlainAddress(text: string): boolean {
  return isIpAddress(text) && !text.includes('%');
}
