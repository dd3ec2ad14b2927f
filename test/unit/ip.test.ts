import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isIpAddress, isIpAllowed, knownRange, parseIpRange } from '../../src/domain/ip.ts';

/**
 * The reference: an address is a number and a width, and a range is a number of equal first bits.
 */
interface Address {
  value: bigint;
  width: 32 | 128;
}

const MAPPED = 0xffffn;

/** IPv4-mapped IPv6 addresses are the IPv4 addresses in them. */
function canonical({ value, width }: Address): Address {
  const mapped = width === 128 && value >> 32n === MAPPED;
  return mapped ? { value: value & 0xffffffffn, width: 32 } : { value, width };
}

function modelContains(network: Address, bits: number, address: Address): boolean {
  const isMappedRange = bits >= 96 && canonical(network).width !== network.width;
  const range = isMappedRange ? canonical(network) : network;
  const length = isMappedRange ? bits - 96 : bits;
  const { value, width } = canonical(address);
  if (width !== range.width) return false;
  const ignored = BigInt(width - length);
  return value >> ignored === range.value >> ignored;
}

function ipv4Text(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

function hextets(value: bigint): string[] {
  return Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
}

/** Several spellings of one IPv6 address. */
function ipv6Texts(value: bigint): string[] {
  const groups = hextets(value);
  const dotted = `${groups.slice(0, 6).join(':')}:${ipv4Text(value & 0xffffffffn)}`;
  const texts = [groups.join(':'), groups.join(':').toUpperCase(), dotted];
  const padded = groups.map((group) => group.padStart(4, '0')).join(':');
  const zeros = groups.findIndex((group) => group !== '0');
  if (zeros > 0) texts.push(`::${groups.slice(zeros).join(':')}`);
  if (zeros === 6 || zeros === 7) texts.push(`::${ipv4Text(value & 0xffffffffn)}`);
  if (zeros === -1) texts.push('::');
  return [...texts, padded];
}

const ipv4 = fc
  .oneof(fc.bigInt(0n, 0xffffffffn), fc.constantFrom(0n, 0xffffffffn, 0x0a000001n, 0xcb007107n))
  .map((value): Address => ({ value, width: 32 }));
const ipv6 = fc
  .oneof(
    fc.bigInt(0n, 2n ** 128n - 1n),
    fc.bigInt(0n, 0xffffffffn).map((low) => (MAPPED << 32n) | low),
    fc.bigInt(0n, 0xffffffffn),
    fc.constantFrom(0n, 1n, 2n ** 128n - 1n, 0x20010db8n << 96n),
  )
  .map((value): Address => ({ value, width: 128 }));
const address = fc.oneof(ipv4, ipv6);

const spelled = (one: Address): fc.Arbitrary<string> =>
  one.width === 32 ? fc.constant(ipv4Text(one.value)) : fc.constantFrom(...ipv6Texts(one.value));

/** An address with the same first bits as the network, so that ranges often match. */
const near = (network: Address, bits: number) =>
  fc.tuple(fc.bigInt(0n, 2n ** BigInt(network.width) - 1n), fc.boolean()).map(([noise, inside]) => {
    const kept = BigInt(network.width - (inside ? bits : Math.max(0, bits - 1)));
    return {
      value: ((network.value >> kept) << kept) | (noise & (2n ** kept - 1n)),
      width: network.width,
    };
  });

const question = address.chain((network) =>
  fc.integer({ min: 0, max: network.width }).chain((bits) =>
    fc.oneof(near(network, bits), address).chain((asked) =>
      fc.record({
        network: fc.constant(network),
        bits: fc.constant(bits),
        asked: fc.constant(asked),
        networkText: spelled(network),
        askedText: spelled(asked),
      }),
    ),
  ),
);

function rangeOf(text: string) {
  return knownRange(text);
}

describe('an allowed range', () => {
  it('a range allows the addresses with its first bits, in every spelling, and no other', () => {
    fc.assert(
      fc.property(question, ({ network, bits, asked, networkText, askedText }) => {
        const range = rangeOf(`${networkText}/${bits}`);
        expect(isIpAllowed([range], askedText)).toBe(modelContains(network, bits, asked));
      }),
      { numRuns: 5000 },
    );
  });

  it('a range without a length allows only that address', () => {
    fc.assert(
      fc.property(question, ({ network, asked, networkText, askedText }) => {
        const whole = modelContains(network, network.width, asked);
        expect(isIpAllowed([rangeOf(networkText)], askedText)).toBe(whole);
        expect(isIpAllowed([rangeOf(networkText)], networkText)).toBe(true);
      }),
    );
  });

  it('several ranges allow what any of them allows, and an empty list allows nothing', () => {
    fc.assert(
      fc.property(fc.array(question, { maxLength: 4 }), address, (questions, asked) => {
        const ranges = questions.map(({ networkText, bits }) => rangeOf(`${networkText}/${bits}`));
        const any = questions.some(({ network, bits }) => modelContains(network, bits, asked));
        const text = asked.width === 32 ? ipv4Text(asked.value) : hextets(asked.value).join(':');
        expect(isIpAllowed(ranges, text)).toBe(any);
      }),
    );
  });

  it.each([
    ['0.0.0.0/0', '203.0.113.7', true],
    ['0.0.0.0/0', '::ffff:203.0.113.7', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '203.0.113.7', false],
    ['::ffff:203.0.113.0/120', '203.0.113.7', true],
    ['::ffff:0:0/96', '203.0.113.7', true],
    ['::ffff:0:0/96', '255.255.255.255', true],
    ['::ffff:0:0/96', '::ffff:203.0.113.7', true],
    ['::ffff:0:0/96', '2001:db8::1', false],
    ['::ffff:0:0/96', '::203.0.113.7', false],
    ['::ffff:0:0/97', '127.255.255.255', true],
    ['::ffff:0:0/97', '128.0.0.0', false],
    ['203.0.113.0/24', '::ffff:cb00:7107', true],
    ['203.0.113.7/32', '203.0.113.8', false],
    ['2001:db8::1/128', '2001:db8::1', true],
    ['2001:db8::1/128', '2001:DB8:0:0::1', true],
    ['2001:db8::1/128', '2001:db8::2', false],
    ['::1.2.3.4', '1.2.3.4', false],
    ['::1.2.3.4', '::102:304', true],
  ])('%s allows %s: %s', (range, ip, admitted) => {
    expect(isIpAllowed([rangeOf(range)], ip)).toBe(admitted);
  });
});

describe('what is no address', () => {
  const bad = [
    '',
    ' ',
    'localhost',
    '203.0.113',
    '203.0.113.256',
    '203.0.113.7.1',
    '0300.0.113.7',
    '203.0.113.07',
    '0xcb.0.113.7',
    '0xcb007107',
    '3405803783',
    '203.0.113.7 ',
    ' 203.0.113.7',
    '203.0.113.7\n',
    '203.0.113.7:80',
    '[::1]',
    '2001:db8',
    '2001:db8:::1',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'fe80::1%',
    '::ffff:203.0.113.07',
    '٢٠٣.0.113.7',
  ];
  it.each(bad)('%j is neither an address nor a range', (text) => {
    expect(isIpAddress(text)).toBe(false);
    expect(parseIpRange(text)).toBeNull();
    expect(parseIpRange(`${text}/8`)).toBeNull();
  });

  it.each([
    '/33',
    '/-1',
    '/',
    '/ 8',
    '/08',
    '/8/8',
    '/1e1',
    '/0x8',
    '/255.255.255.0',
    '/129',
    '/2.5',
  ])('a range does not end with %j', (length) => {
    expect(parseIpRange(`203.0.113.0${length}`)).toBeNull();
    if (length !== '/33') expect(parseIpRange(`2001:db8::${length}`)).toBeNull();
  });

  it('a range is not an address', () => {
    expect(isIpAddress('203.0.113.0/24')).toBe(false);
    expect(parseIpRange('203.0.113.0/24')).not.toBeNull();
  });

  it('any text can be parsed as an address without an error being thrown', () => {
    const chars = fc.string({
      unit: fc.constantFrom(...'0123456789abcdefx:./% '.split('')),
      maxLength: 50,
    });
    fc.assert(
      fc.property(chars, (text) => {
        parseIpRange(text);
        if (isIpAddress(text)) isIpAllowed([rangeOf('0.0.0.0/0'), rangeOf('::/0')], text);
      }),
      { numRuns: 3000 },
    );
  });
});
