import { describe, expect, it } from 'vitest';
import { canonicalIpRanges, isIpAllowed, knownRange, parseIpRange } from '../../src/domain/ip.ts';

describe('ranges as they are stored', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7/32', '203.0.113.7/32'],
    ['203.0.113.7/24', '203.0.113.0/24'],
    ['203.0.113.7/0', '0.0.0.0/0'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['2001:db8::ffff/33', '2001:db8::/33'],
    ['2001:db8::1/128', '2001:db8::1/128'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7/120', '203.0.113.0/24'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
    ['::1.2.3.4', '::102:304'],
    ['::1.2.3.4/127', '::102:304/127'],
  ])('the range %s is stored as %s', (text, stored) => {
    expect(canonicalIpRanges([text])).toEqual([stored]);
  });

  it('ranges that are the same are stored once, in their order', () => {
    const same = ['10.0.0.1/8', '2001:db8::1', '10.9.9.9/8', '::ffff:10.0.0.0/104', '2001:DB8::1'];
    expect(canonicalIpRanges(same)).toEqual(['10.0.0.0/8', '2001:db8::1']);
    expect(canonicalIpRanges([])).toEqual([]);
  });

  it('an address and the range of that address alone are told apart as they were written', () => {
    expect(canonicalIpRanges(['10.0.0.1', '10.0.0.1/32'])).toEqual(['10.0.0.1', '10.0.0.1/32']);
  });

  it.each(['', 'localhost', '10.0.0.0/33', '2001:db8::/129', '10.0.0.0/8/8', 'fe80::1%eth0'])(
    'the stored range %j is an error and never ignored',
    (text) => {
      expect(() => knownRange(text)).toThrow();
    },
  );
});

describe('ranges of mapped addresses', () => {
  it.each(['::ffff:0:0/95', '::ffff:203.0.113.0/95', '::ffff:203.0.113.0/0'])(
    'the range %s is refused: it only begins with mapped addresses',
    (text) => {
      expect(parseIpRange(text)).toBeNull();
    },
  );

  it.each(['::ffff:0:0/96', '::ffff:203.0.113.7', '::/0', '::fffe:0:0/95', '::/96'])(
    'the range %s is accepted',
    (text) => {
      expect(parseIpRange(text)).not.toBeNull();
    },
  );
});

describe('a zone id', () => {
  it.each([
    ['fe80::1%eth0', true],
    ['fe80::1%1', true],
    ['fe80::2%eth0', false],
    ['::ffff:10.0.0.1%eth0', false],
  ])('the address %s is judged without its zone: %s', (ip, allowed) => {
    expect(isIpAllowed([knownRange('fe80::1')], ip)).toBe(allowed);
  });

  it('no range has a zone id', () => {
    expect(parseIpRange('fe80::1%eth0')).toBeNull();
    expect(parseIpRange('fe80::%eth0/64')).toBeNull();
  });
});
