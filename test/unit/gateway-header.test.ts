import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeywardError } from '../../src/errors.ts';
import { FORMATS } from '../../src/http/validation/formats.ts';
import {
  isForNginx,
  parseGatewayQuestion,
  splitGatewayHeader,
} from '../../src/verification/authorize/gateway-header.ts';

const CREDENTIAL = `Bearer kw_${'aB3'.repeat(21)}`;

/** A value of each parameter; `resource` is the last. */
const SAMPLES = {
  requiredScopes: 'orders:read,orders:write',
  requiredAnyScope: 'admin',
  ip: '203.0.113.7',
  cost: '3',
  workspaceId: 'acme',
  mode: 'nginx',
  resource: 'project:alpha',
};
const NAMES = Object.keys(SAMPLES);
const sampleOf = fc.constantFrom(...Object.entries(SAMPLES));
const BEFORE_RESOURCE = Object.entries(SAMPLES).filter(([name]) => name !== 'resource');

const headerOf = (parameters: readonly string[]) => [CREDENTIAL, ...parameters].join('; ');
const parse = (header: string) => parseGatewayQuestion(splitGatewayHeader(header));

/** The error of a header that is refused. */
function refusalOf(header: string): KeywardError {
  try {
    parse(header);
  } catch (error) {
    if (error instanceof KeywardError) return error;
    throw error;
  }
  throw new Error(`not refused: ${header}`);
}

/** Bytes of a header as Node.js hands them out. */
const latin1 = (text: string) => Buffer.from(text).toString('latin1');

describe('the header of a gateway', () => {
  it('a gateway asks every parameter with its own meaning and type', () => {
    const header = headerOf(Object.entries(SAMPLES).map(([name, value]) => `${name}=${value}`));
    expect(splitGatewayHeader(header).authorization).toBe(CREDENTIAL);
    expect(parse(header)).toEqual({
      requiredScopes: ['orders:read', 'orders:write'],
      requiredAnyScope: ['admin'],
      ip: '203.0.113.7',
      cost: 3,
      workspaceId: 'acme',
      mode: 'nginx',
      resource: 'project:alpha',
    });
    expect(parse(CREDENTIAL)).toEqual({});
  });

  it('parameters are read alike in any order and with any white space around the semicolons', () => {
    const separators = fc.constantFrom(';', '; ', ' ;', '  ;\t ');
    fc.assert(
      fc.property(fc.shuffledSubarray(BEFORE_RESOURCE), separators, (chosen, separator) => {
        const parts = chosen.map(([name, value]) => `${name}=${value}`);
        const header = [CREDENTIAL, ...parts, 'resource=r'].join(separator);
        expect(Object.keys(parse(header)).sort()).toEqual(
          [...chosen.map(([name]) => name), 'resource'].sort(),
        );
        expect(isForNginx(splitGatewayHeader(header))).toBe(parts.includes('mode=nginx'));
      }),
    );
  });

  it('every misspelling of a parameter is refused, whatever its value is', () => {
    const characters = fc.string({ unit: 'grapheme-ascii', maxLength: 3 });
    const mutation = fc.tuple(sampleOf, fc.nat(16), fc.nat(3), characters);
    fc.assert(
      fc.property(mutation, ([[name, value], at, removed, inserted]) => {
        const mutated = name.slice(0, at) + inserted + name.slice(at + removed);
        // White space before a name belongs to the separator; what follows `=` is the value.
        fc.pre(!mutated.includes('=') && !NAMES.includes(mutated.trimStart()));
        expect(refusalOf(headerOf([`${mutated}=${value}`])).code).toBe('INVALID_REQUEST');
      }),
      { numRuns: 2000 },
    );
  });

  it.each(NAMES)('%s is refused in other letters, with white space, or without a value', (name) => {
    const value = name === 'resource' ? SAMPLES.resource : 'x';
    const variants = [
      `${name.toUpperCase()}=${value}`,
      `${name} =${value}`,
      `"${name}"=${value}`,
      `${name}`,
      `${name}=`,
      `${name}= `,
      `${name}:${value}`,
      `x${name}=${value}`,
    ];
    for (const variant of variants) {
      expect({ variant, code: refusalOf(headerOf([variant])).code }).toEqual({
        variant,
        code: 'INVALID_REQUEST',
      });
    }
  });

  it('what a resource contains never adds, changes or hides a parameter', () => {
    const tempting = fc.constantFrom(...['; cost=0', ';ip=::1', '; mode=nginx', '; resource=x']);
    const bytes = fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
    });
    const resource = fc.oneof(
      bytes,
      fc.tuple(bytes, tempting, bytes).map((parts) => parts.join('')),
      fc.string({ unit: 'grapheme' }).map(latin1),
    );
    fc.assert(
      fc.property(resource, (written) => {
        const header = headerOf(['requiredScopes=orders:read', 'cost=3', `resource=${written}`]);
        expect(isForNginx(splitGatewayHeader(header))).toBe(false);
        const text = Buffer.from(written, 'latin1').toString();
        const isText = latin1(text) === written && FORMATS.line?.accepts(text) === true;
        if (isText && text.length <= 256) {
          const question = { requiredScopes: ['orders:read'], cost: 3, resource: text };
          expect(parse(header)).toEqual(question);
        } else {
          expect(refusalOf(header).code).toBe('INVALID_REQUEST');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a parameter that is given twice is refused, even with equal values', () => {
    const samples = fc.constantFrom(...BEFORE_RESOURCE);
    const others = fc.subarray(BEFORE_RESOURCE);
    fc.assert(
      fc.property(samples, others, fc.boolean(), ([name, value], more, first) => {
        const parts = [...new Set([`${name}=${value}`, ...more.map((pair) => pair.join('='))])];
        const again = first ? [`${name}=${value}`, ...parts] : [...parts, `${name}=${value}`];
        expect(refusalOf(headerOf(again)).detail).toContain(`${name}: is given twice`);
      }),
    );
  });

  it.each([
    ['requiredScopes', ['orders:*', '*', 'a b', 'a, b', 'a,,b', 'a,', ',a', 'a,a', 'a/b']],
    ['requiredScopes', [Array.from({ length: 51 }, (_, i) => `s${i}`).join(','), 'a'.repeat(129)]],
    ['requiredAnyScope', ['orders:*', 'a, b', 'a,a']],
    ['ip', ['203.0.113.7/24', 'localhost', '203.0.113.7, 10.0.0.1', 'unix:', '0x7f.1']],
    ['cost', ['-1', '+1', '1.0', '1e1', '0x5', '01', ' 1', '1000001', '١', 'true']],
    ['workspaceId', ['a/b', '*', 'a b', 'x'.repeat(65)]],
    ['mode', ['Nginx', 'nginx ingress', ' nginx', 'caddy', 'none']],
    ['resource', [' ', '\t', 'x'.repeat(257), 'caf\xe9', 'a\x07b']],
  ])('a value that %s does not take is refused as a fault of the header: %j', (name, values) => {
    for (const value of values) {
      const { code, errors } = refusalOf(headerOf([`${name}=${value}`]));
      expect({ value, code }).toEqual({ value, code: 'INVALID_REQUEST' });
      for (const { pointer } of errors) expect(pointer).toBe('/headers/x-keyward-authorization');
      expect(errors[0]?.detail).toMatch(new RegExp(`^${name}\\b`));
    }
  });

  it('an empty parameter is refused, so that a forgotten requirement closes the door', () => {
    for (const header of [`${CREDENTIAL};`, `${CREDENTIAL}; `, `${CREDENTIAL}; ; cost=1`]) {
      expect(refusalOf(header).code).toBe('INVALID_REQUEST');
    }
  });

  it('the retired `from` is refused like every unknown parameter', () => {
    expect(refusalOf(headerOf(['from=query'])).detail).toContain('from: is not one of');
  });

  it('a refusal quotes neither a credential in the wrong place nor a value', () => {
    const secret = CREDENTIAL.slice('Bearer '.length);
    const root = 'rootkeyofthetestsrootkeyofthetests';
    const headers = [secret, root].flatMap((key) => [
      headerOf([`Bearer ${key}`]),
      headerOf([key]),
      headerOf([`${key}=`]),
      ...NAMES.filter((name) => name !== 'resource').map((name) => headerOf([`${name}=${key} ;`])),
    ]);
    for (const header of headers) {
      const { detail, errors } = refusalOf(header);
      const told = JSON.stringify([detail, errors]);
      for (const key of [secret, root]) expect(told).not.toContain(key.slice(0, 25));
    }
  });

  it('mode=nginx is known even if another parameter is not valid', () => {
    expect(isForNginx(splitGatewayHeader(headerOf(['mode=nginx', 'cots=1'])))).toBe(true);
    expect(isForNginx(splitGatewayHeader('; mode=nginx'))).toBe(true);
    expect(isForNginx(splitGatewayHeader(headerOf(['mode=Nginx'])))).toBe(false);
  });
});
