import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HmacKey } from '../../src/domain/hmac-key.ts';

/** The cases of RFC 4231 whose keys are no longer than a block. */
it.each([
  {
    key: Buffer.alloc(20, 0x0b),
    text: 'Hi There',
    digest: 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  },
  {
    key: Buffer.from('Jefe'),
    text: 'what do ya want for nothing?',
    digest: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  },
])('an HMAC key gives the digest that RFC 4231 lists for "$text"', ({ key, text, digest }) => {
  expect(new HmacKey(key).digest(text).toString('hex')).toBe(digest);
});

it('an HMAC key gives the digests of Node’s own HMAC, whatever its length, the text, and the texts before', () => {
  const text = fc
    .oneof(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 400, maxLength: 512 }))
    .filter((it) => Buffer.byteLength(it) <= 512);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(text, { minLength: 1 }),
      (key, texts) => {
        const hmac = new HmacKey(key);
        for (const each of texts) {
          const expected = createHmac('sha256', key).update(each).digest('hex');
          expect(hmac.digest(each).toString('hex')).toBe(expected);
        }
      },
    ),
  );
});

it('a key that is longer than a block is refused, not cut', () => {
  expect(() => new HmacKey(new Uint8Array(65))).toThrow(RangeError);
});

it('a text that is too long is refused, not cut', () => {
  const key = new HmacKey(new Uint8Array(32));
  expect(key.digest('a'.repeat(512))).toHaveLength(32);
  for (const text of ['a'.repeat(513), 'é'.repeat(257)])
    expect(() => key.digest(text)).toThrow(RangeError);
});
