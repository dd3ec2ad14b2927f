import { hash } from 'node:crypto';

const BLOCK_BYTES = 64;
/** Longer texts get a buffer of their own. */
const TEXT_CHARACTERS = 512;
const BYTES_PER_CHARACTER = 3;

/**
 * HMAC-SHA256 (RFC 2104) with one key of at most 64 bytes. Node's `createHmac` makes an object for each
 * digest, which costs four times as much as the two hashes that it takes, most of it when it is collected.
 */
export class HmacKey {
  /** The key and room for a text; nothing is awaited while it is used. */
  readonly #inner = Buffer.alloc(BLOCK_BYTES + TEXT_CHARACTERS * BYTES_PER_CHARACTER);
  /** The key and the digest of the above. */
  readonly #outer = Buffer.alloc(BLOCK_BYTES + 32);

  /** Throws RangeError if the key is longer than a block. */
  constructor(key: Uint8Array) {
    if (key.length > BLOCK_BYTES) throw new RangeError('an HMAC key has at most 64 bytes');
    for (let index = 0; index < BLOCK_BYTES; index++) {
      this.#inner[index] = (key[index] ?? 0) ^ 0x36;
      this.#outer[index] = (key[index] ?? 0) ^ 0x5c;
    }
  }

  /** 32 bytes. */
  digest(text: string): Buffer {
    this.#outer.write(this.#innerHash(text), BLOCK_BYTES, 'binary');
    return hash('sha256', this.#outer, 'buffer');
  }

  /** As text of one byte each, which is faster to get than a buffer. */
  #innerHash(text: string): string {
    if (text.length > TEXT_CHARACTERS) {
      const key = this.#inner.subarray(0, BLOCK_BYTES);
      return hash('sha256', Buffer.concat([key, Buffer.from(text)]), 'binary');
    }
    const end = BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES);
    const digest = hash('sha256', this.#inner.subarray(0, end), 'binary');
    // The text is a key, of which no copy stays.
    this.#inner.fill(0, BLOCK_BYTES, end);
    return digest;
  }
}
