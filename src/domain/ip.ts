import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * Allowed addresses: single ones or CIDR ranges, IPv4 or IPv6. An IPv4-mapped IPv6 address
 * (`::ffff:203.0.113.7`) is the IPv4 address it carries.
 */
type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type IpRange = readonly [Address, number];

const MAPPED_BITS = 96;

/**
 * The range, or null where the text is neither an address nor a CIDR range. A range that only
 * begins with mapped addresses would cover IPv4 addresses that it never matches.
 */
export function parseIpRange(text: string): IpRange | null {
  const range = readRange(text);
  const isMapped = range?.[0] instanceof ipaddr.IPv6 && range[0].isIPv4MappedAddress();
  return isMapped ? null : range;
}

/** Ranges as they are matched; two that are the same so are one. */
export function canonicalIpRanges(texts: readonly string[]): string[] {
  return [...new Set(texts.map(canonicalIpRange))];
}

/** The range as it is matched: without host bits, a mapped one as the IPv4 range that it is. */
function canonicalIpRange(text: string): string {
  const [address, bits] = knownRange(text);
  if (!text.includes('/')) return address.toString();
  const network =
    address instanceof ipaddr.IPv4
      ? ipaddr.IPv4.networkAddressFromCIDR(`${address}/${bits}`)
      : ipaddr.IPv6.networkAddressFromCIDR(`${address}/${bits}`);
  return `${network}/${bits}`;
}

function readRange(text: string): IpRange | null {
  const [address, bits, ...rest] = text.split('/');
  if (address === undefined || rest.length > 0 || isIP(address) === 0) return null;
  if (address.includes('%')) return null;
  const parsed = parseAddress(address);
  const width = widthOf(parsed);
  const length = bits === undefined ? width : parsePrefixLength(bits, width);
  return length === null ? null : normalise(parsed, length);
}

/** Ranges were checked when they were stored; one that is not understood must not be ignored. */
export function knownRange(text: string): IpRange {
  const range = readRange(text);
  if (!range) throw new Error('a stored IP range is not valid');
  return range;
}

/** Whether the text is one address (not a range), perhaps with a zone id, which says nothing here. */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}

export function isIpAllowed(ranges: readonly IpRange[], ip: string): boolean {
  const address = addressOf(ip);
  return ranges.some(([network, bits]) => contains(network, bits, address));
}

/** One address, without its zone id. */
function addressOf(ip: string): Address {
  const parsed = parseAddress(ip.replace(/%.*$/s, ''));
  return normalise(parsed, widthOf(parsed))[0];
}

/**
 * The network of a site, /24 or /48, or all of the address; empty if it is none. Each flush asks for
 * those of many counters, so they are not parsed as ranges are, which takes 10 to 30 µs.
 */
export function networkOf(ip: string, isTruncated: boolean): string {
  const address = canonicalAddress(ip.replace(/%.*$/s, ''));
  if (address === '' || !isTruncated) return address;
  if (!isIPv4(address)) return `${startOf(address)}::/48`;
  return `${address.slice(0, address.lastIndexOf('.'))}.0/24`;
}

function canonicalAddress(text: string): string {
  const plain = text.replace(/^::ffff:(?=\d+\.)/, '');
  if (isIPv4(plain)) return plain;
  if (!/^[0-9a-f:.]+$/i.test(text)) return '';
  const address = URL.parse(`http://[${text}]`)?.hostname.slice(1, -1) ?? '';
  const [, high, low] = /^::ffff:([^:]+):([^:]+)$/.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  return [high, low].flatMap((hex) => [parseInt(hex, 16) >> 8, parseInt(hex, 16) & 255]).join('.');
}

/** The first three groups, without zeros at their end. */
function startOf(canonical: string): string {
  const [head = [], tail = []] = canonical.split('::').map((part) => part.match(/[^:]+/g) ?? []);
  const zeros = Array(8 - head.length - tail.length).fill('0');
  const start = [...head, ...zeros, ...tail].slice(0, 3).join(':');
  return start.replace(/(^|:)0(:0)*$/, '');
}

/** The dotted end of an IPv6 address in hex: ipaddr.js would take `::1.2.3.4` for a mapped one. */
function parseAddress(text: string): Address {
  const dotted = /(?<=:)\d+\.\d+\.\d+\.\d+$/.exec(text)?.[0];
  if (dotted === undefined) return ipaddr.parse(text);
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number);
  const groups = [a * 256 + b, c * 256 + d].map((group) => group.toString(16));
  return ipaddr.parse(text.slice(0, -dotted.length) + groups.join(':'));
}

function widthOf(address: Address): number {
  return address.kind() === 'ipv4' ? 32 : 128;
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
