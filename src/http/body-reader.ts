import type { Readable } from 'node:stream';
import { bodyTooLarge, KeywardError } from '../errors.ts';

const FIRST_BYTES = 16_384;

export interface BodySize {
  /** By Content-Length; null if the body comes in chunks. */
  declared: number | null;
  limit: number;
}

type Done = (error: Error | null, body?: Buffer) => void;

/**
 * Reads a body into one buffer: a list of its chunks, which can be of one byte each, would take a
 * multiple of the memory that its limit says.
 */
export function readBody(payload: Readable, size: BodySize, done: Done): void {
  const body = new GrowingBuffer(size);
  const settle = (error: Error | null) => {
    payload.off('data', onData).off('end', onEnd).off('error', fail).off('close', fail);
    if (error) done(error);
    else done(null, body.bytes);
  };
  const fail = () => settle(new KeywardError('MALFORMED_HTTP', 'The body did not arrive whole.'));
  const onData = (chunk: Buffer) => {
    if (!body.add(chunk)) settle(bodyTooLarge(size.limit));
  };
  const onEnd = () => settle(null);
  // Its client has hung up: none of these would come.
  if (payload.destroyed) fail();
  else payload.on('data', onData).on('end', onEnd).on('error', fail).on('close', fail);
}

class GrowingBuffer {
  readonly #size: BodySize;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  constructor(size: BodySize) {
    this.#size = size;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** False if it is more than the limit. */
  add(chunk: Buffer): boolean {
    const length = this.#length + chunk.length;
    if (length > this.#size.limit) return false;
    // The usual body arrives whole, and is not copied.
    if (this.#length === 0 && chunk.length === this.#size.declared) this.#buffer = chunk;
    else this.#append(chunk, length);
    this.#length = length;
    return true;
  }

  #append(chunk: Buffer, length: number): void {
    if (length > this.#buffer.length) this.#grow(length);
    chunk.copy(this.#buffer, this.#length);
  }

  #grow(length: number): void {
    const { declared, limit } = this.#size;
    const doubled = Math.max(length, 2 * this.#buffer.length, FIRST_BYTES);
    const grown = Buffer.allocUnsafe(Math.max(length, Math.min(doubled, declared ?? limit)));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
