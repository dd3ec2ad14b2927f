import { describe, expect, it } from 'vitest';
import { isAddressIn, isAllowedAddress } from '../../src/domain/target-address.ts';

const REFUSED: Record<string, string[]> = {
  'this network': ['0.0.0.0', '0.1.2.3', '::'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  'private use': ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  'link-local, where metadata services are': ['169.254.169.254', 'fe80::1', 'febf::1'],
  'unique local': ['fc00::1', 'fd00:ec2::254', 'fdff::1'],
  'site-local': ['fec0::1'],
  'carrier-grade NAT': ['100.64.0.1', '100.127.255.255', '100.100.100.200'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1'],
  broadcast: ['255.255.255.255'],
  reserved: ['240.0.0.1', '254.255.255.255', '192.0.0.8', '192.88.99.1'],
  documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
  benchmarking: ['198.18.0.1', '198.19.255.255', '2001:2::1'],
  'IPv4-mapped': ['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe'],
  'IPv4-compatible': ['::127.0.0.1', '::10.0.0.1', '::8.8.8.8', '::7f00:1'],
  'IPv4-translated': ['::ffff:0:127.0.0.1', '::ffff:0:808:808'],
  NAT64: ['64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b::808:808', '64:ff9b:1::a00:1'],
  '6to4': ['2002:7f00:1::', '2002:a00:1::1', '2002:808:808::1'],
  Teredo: ['2001::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  ORCHID: ['2001:10::1', '2001:20::1'],
  'discard-only': ['100::1'],
  'segment routing': ['5f00::1'],
  unassigned: ['4000::1', '8000::1', '1000::1', '200::1'],
};

/** As the WHATWG URL parser reads a host, which is what a webhook's URL goes through. */
function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

describe('addresses that a webhook may be sent to', () => {
  it('public addresses may be sent to', () => {
    const addresses = [
      ...['8.8.8.8', '1.1.1.1', '93.184.215.14', '172.15.255.255', '172.32.0.1', '100.63.255.255'],
      ...['100.128.0.1', '11.0.0.1', '223.255.255.254', '169.253.255.255', '169.255.0.1'],
      ...['2606:4700:4700::1111', '2a00:1450:4001:81b::200e', '2001:4860:4860::8888'],
      ...['::ffff:8.8.8.8', '::ffff:808:808'],
    ];
    expect(addresses.filter((address) => !isAllowedAddress(address, []))).toEqual([]);
  });

  for (const [kind, addresses] of Object.entries(REFUSED)) {
    it(`addresses of the kind "${kind}" may not be sent to`, () => {
      expect(addresses.filter((address) => isAllowedAddress(address, []))).toEqual([]);
    });
  }

  it('every notation of an address that a URL can hold is refused like the address', () => {
    const loopback = ['2130706433', '0x7f000001', '0x7f.1', '017700000001', '0177.0.0.1'];
    const short = ['127.1', '127.0.1', '0', '0x0', '127.0.0.1.', '１２７.０.０.１', '%31%32%37.1'];
    const metadata = ['2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '169.254.43518'];
    const mapped = ['[::ffff:127.0.0.1]', '[0:0:0:0:0:ffff:7f00:0001]', '[::1]', '[::]'];
    for (const host of [...loopback, ...short, ...metadata, ...mapped]) {
      expect([host, isAllowedAddress(hostOf(`http://${host}/`), [])]).toEqual([host, false]);
    }
  });

  it('an address of an allowed network may be sent to, and its neighbours may not', () => {
    const networks = ['10.1.0.0/16', '127.0.0.1', 'fd00:1::/32'];
    const allowed = ['10.1.2.3', '::ffff:10.1.2.3', '127.0.0.1', '::ffff:127.0.0.1', 'fd00:1::9'];
    const refused = [
      '10.2.0.1',
      '127.0.0.2',
      'fd00:2::1',
      '::1',
      '64:ff9b::10.1.2.3',
      '::10.1.2.3',
    ];
    expect(allowed.filter((address) => !isAllowedAddress(address, networks))).toEqual([]);
    expect(refused.filter((address) => isAllowedAddress(address, networks))).toEqual([]);
  });

  it('a public address is in no network that was not named', () => {
    expect(isAddressIn('8.8.8.8', [])).toBe(false);
    expect(isAddressIn('8.8.8.8', ['10.0.0.0/8'])).toBe(false);
    expect(isAddressIn('::ffff:10.0.0.1', ['10.0.0.0/8'])).toBe(true);
  });

  it('what is no address, or has a zone id, may not be sent to', () => {
    const texts = [
      '',
      'example.com',
      '127.1',
      '8.8.8.8/32',
      '[::1]',
      '2606:4700::1111%eth0',
      '1.2.3',
    ];
    const everything = ['0.0.0.0/0', '::/0'];
    expect(texts.filter((text) => isAllowedAddress(text, everything))).toEqual([]);
  });
});
