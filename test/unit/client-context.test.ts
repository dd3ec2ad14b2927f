import { isIP } from 'node:net';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { expect, it } from 'vitest';
import {
  originOf,
  parseLastUsedFrom,
  shortUserAgent,
  USER_AGENT_FAMILIES,
} from '../../src/domain/client-context.ts';
import { canonicalIpRanges } from '../../src/domain/ip.ts';
import { base62 } from '../support/forged-key.ts';

const MOZILLA = 'Mozilla/5.0 (X11; Linux x86_64)';
const WEBKIT = `${MOZILLA} AppleWebKit/537.36 (KHTML, like Gecko)`;

it.each([
  ['curl/8.5.0', 'curl'],
  ['Wget/1.21.4', 'wget'],
  ['python-requests/2.31.0', 'python-requests'],
  ['python-httpx/0.27.0', 'httpx'],
  ['Python/3.11 aiohttp/3.9.1', 'aiohttp'],
  ['Python-urllib/3.11', 'python'],
  ['Go-http-client/2.0', 'Go-http-client'],
  ['axios/1.6.8', 'axios'],
  ['undici', 'undici'],
  ['node', 'node'],
  ['node-fetch/1.0 (+https://github.com/bitinn/node-fetch)', 'node'],
  ['okhttp/4.12.0', 'okhttp'],
  ['Apache-HttpClient/4.5.14 (Java/17.0.9)', 'Apache-HttpClient'],
  ['Java-http-client/21.0.1', 'Java'],
  ['Java/1.8.0_292', 'Java'],
  ['GuzzleHttp/7', 'Guzzle'],
  ['PHP/8.3', 'PHP'],
  ['Ruby', 'Ruby'],
  ['Faraday v2.9.0', 'Ruby'],
  ['rest-client/2.1.0 (linux x86_64) ruby/3.2.2p53', 'Ruby'],
  ['reqwest/0.12.4', 'reqwest'],
  ['RestSharp/110.2.0.0', '.NET'],
  ['PostmanRuntime/7.37.3', 'Postman'],
  ['insomnia/9.2.0', 'Insomnia'],
  [`${WEBKIT} Chrome/124.0.0.0 Safari/537.36`, 'Chrome'],
  [`${WEBKIT} HeadlessChrome/124.0.0.0 Safari/537.36`, 'Chrome'],
  [`${WEBKIT} Chrome/124.0.0.0 Safari/537.36 Edg/124.0.0.0`, 'Edge'],
  [`${WEBKIT} Chrome/124.0.0.0 Safari/537.36 OPR/110.0.0.0`, 'Opera'],
  [`${MOZILLA} Gecko/20100101 Firefox/125.0`, 'Firefox'],
  [`${WEBKIT} Version/17.4 Safari/605.1.15`, 'Safari'],
  ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'bot'],
  [`${WEBKIT} (compatible; bingbot/2.0) Chrome/116.0.1938.76 Safari/537.36`, 'bot'],
  ['acme-billing/3.2 (curl/8.5.0)', 'other'],
  ['curled hair', 'other'],
  [' ', 'other'],
])('the user agent %j is of the family %s', (userAgent, family) => {
  expect(originOf({ userAgent }, 'truncated')).toBe(` ${family}`);
  expect(USER_AGENT_FAMILIES).toContain(family);
});

it.each([
  ['203.0.113.7', '203.0.113.0/24', '203.0.113.7'],
  ['0.0.0.0', '0.0.0.0/24', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.0/24', '255.255.255.255'],
  ['::ffff:203.0.113.7', '203.0.113.0/24', '203.0.113.7'],
  ['::FFFF:CB00:7107', '203.0.113.0/24', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48', '2001:db8:1:2:3:4:5:6'],
  ['2001:DB8:0001::7', '2001:db8:1::/48', '2001:db8:1::7'],
  ['fe80::1%eth0', 'fe80::/48', 'fe80::1'],
  ['::1.2.3.4', '::/48', '::102:304'],
  ['::1', '::/48', '::1'],
])('of the address %s the network is %s, and all of it %s', (ip, network, full) => {
  expect(originOf({ ip }, 'truncated')).toBe(`${network} `);
  expect(originOf({ ip }, 'full')).toBe(`${full} `);
  expect(originOf({ ip }, 'none')).toBe('');
});

it('the network of any address is the one that a range of 24 or 48 bits has', () => {
  const hex = fc.integer({ min: 0, max: 0xffff }).map((group) => group.toString(16));
  const group = fc.oneof(fc.constant('0'), hex, fc.constantFrom('ffff', '0000', '00A1', 'FFFF'));
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  const full = groups.map((all) => all.join(':'));
  const shortened = fc
    .tuple(groups, fc.nat(7), fc.nat(7))
    .map(
      ([all, from, count]) =>
        `${all.slice(0, from).join(':')}::${all.slice(from + count + 1).join(':')}`,
    );
  const dotted = fc
    .tuple(fc.constantFrom('::ffff:', '::FFFF:', '::', '0:0:0:0:0:ffff:', '64:ff9b::'), fc.ipV4())
    .map((parts) => parts.join(''));
  const ip = fc.oneof(fc.ipV4(), fc.ipV6(), full, shortened, dotted).filter((it) => isIP(it) !== 0);
  fc.assert(
    fc.property(ip, fc.constantFrom('', '%eth0'), (address, zone) => {
      const whole = originOf({ ip: address + (isIP(address) === 6 ? zone : '') }, 'full').trim();
      const [bits, network] = isIP(whole) === 4 ? [24, ipaddr.IPv4] : [48, ipaddr.IPv6];
      const expected = network.networkAddressFromCIDR(`${whole}/${bits}`);
      expect(originOf({ ip: address }, 'truncated')).toBe(`${expected}/${bits} `);
      expect(canonicalIpRanges([address])).toEqual([whole]);
    }),
    { numRuns: 3000 },
  );
});

it('what is stored is a network and a family of the list, whatever text a client sends', () => {
  const key = `ak_live_${base62(65)}`;
  const part = fc.constantFrom(
    ...[
      key,
      'curl/',
      'Chrome/',
      'Mozilla/5.0',
      'bot',
      ',',
      ' ',
      '\0',
      '\n',
      '😀',
      '\ud800',
      '2026',
    ],
  );
  const userAgent = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 600 }),
    fc.array(part, { maxLength: 40 }).map((parts) => parts.join('')),
  );
  const ip = fc.option(fc.oneof(fc.ipV4(), fc.ipV6()), { nil: undefined });
  const kept = fc.constantFrom('truncated' as const, 'full' as const, 'none' as const);
  fc.assert(
    fc.property(ip, userAgent, kept, (address, text, keptIp) => {
      const origin = originOf({ ip: address, userAgent: shortUserAgent(text) }, keptIp);
      if (origin === '') return;
      const [network = '', family = '', ...more] = origin.split(' ');
      expect(more).toEqual([]);
      expect(network).toMatch(/^[0-9a-f.:]*(\/(24|48))?$/);
      expect(['', ...USER_AGENT_FAMILIES]).toContain(family);
      const at = '1796000000000';
      expect(parseLastUsedFrom(`${at} ${origin}`)).toEqual({
        ip: network || null,
        userAgent: family || null,
      });
    }),
  );
});

it('no family has a space or a comma, which separate what is stored', () => {
  for (const family of USER_AGENT_FAMILIES) expect(family).toMatch(/^[A-Za-z.-]+$/);
});

it('a text that is no address is nothing, and fails no flush', () => {
  const text = fc.oneof(fc.string({ maxLength: 64 }), fc.string({ unit: 'binary', maxLength: 64 }));
  fc.assert(
    fc.property(
      text.filter((it) => isIP(it) === 0),
      (ip) => {
        expect(originOf({ ip }, 'truncated')).toMatch(/^([0-9a-f.:]+\/(24|48) )?$/);
      },
    ),
  );
});

it('from where a key was used is not known if nobody has said it or it was erased', () => {
  expect(originOf({}, 'full')).toBe('');
  expect(originOf({ userAgent: '' }, 'full')).toBe('');
  expect(parseLastUsedFrom(null)).toBeNull();
  expect(parseLastUsedFrom('1796000000000  ')).toBeNull();
});
