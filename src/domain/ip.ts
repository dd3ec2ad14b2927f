import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * Allowed addresses: single ones or CIDR ranges, IPv4 or IPv6. An IPv4-mapped IPv6 address
 * (`::ffff:203.0.113.7`) is the IPv4 address it carries.
 */
type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type IpRange = readonly [Address, number];

const MAPPED_BITS = 96;

/** The range, or null where the text is neither an address nor a CIDR range. */
export function parseIpRange(text: string): IpRange | null {
  const [address, bits, ...rest] = text.split('/');
  if (address === undefined || rest.length > 0 || isIP(address) === 0) return null;
  if (address.includes('%')) return null;
  const parsed = ipaddr.parse(address);
  const width = parsed.kind() === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? width : parsePrefixLength(bits, width);
  return length === null ? null : normalise(parsed, length);
}

/** Whether the text is one address (not a range). */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

export function isIpAllowed(ranges: readonly IpRange[], ip: string): boolean {
  const address = ipaddr.process(ip);
  return ranges.some(([network, bits]) => contains(network, bits, address));
}

function contains(network: Address, bits: number, address: Address): boolean {
  if (network instanceof ipaddr.IPv4) {
    return address instanceof ipaddr.IPv4 && address.match(network, bits);
  }
  return address instanceof ipaddr.IPv6 && address.match(network, bits);
}

function parsePrefixLength(text: string, width: number): number | null {
  return /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= width ? Number(text) : null;
}

/** A mapped range of at least 96 bits is an IPv4 range. */
function normalise(address: Address, bits: number): IpRange {
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= MAPPED_BITS) {
    return [address.toIPv4Address(), bits - MAPPED_BITS];
  }
  return [address, bits];
}
