import { hash } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const MAX_TEXT_BYTES = 512;

/**
 * HMAC-SHA256 (RFC 2104) of short texts with one key of at most 64 bytes. Node's `createHmac` makes an
 * object for each digest, and to collect those costs more than the digests.
 */
export class HmacKey {
  /** The padded key, then the text. Shared by all digests, which is safe because they are synchronous. */
  readonly #inner = Buffer.alloc(BLOCK_BYTES + MAX_TEXT_BYTES);
  /** The padded key, then the digest of the above. */
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);

  /** Throws RangeError if the key is longer than a block. */
  constructor(key: Uint8Array) {
    if (key.length > BLOCK_BYTES) throw new RangeError('an HMAC key has at most 64 bytes');
    for (let index = 0; index < BLOCK_BYTES; index++) {
      this.#inner[index] = (key[index] ?? 0) ^ 0x36;
      this.#outer[index] = (key[index] ?? 0) ^ 0x5c;
    }
  }

  /** 32 bytes. Throws RangeError if the text has more than 512 bytes of UTF-8. */
  digest(text: string): Buffer {
    if (Buffer.byteLength(text) > MAX_TEXT_BYTES) throw new RangeError('the text is too long');
    const end = BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES);
    // As text of one byte each, which is faster to get than a buffer.
    const digest = hash('sha256', this.#inner.subarray(0, end), 'binary');
    this.#outer.write(digest, BLOCK_BYTES, 'binary');
    return hash('sha256', this.#outer, 'buffer');
  }
}
