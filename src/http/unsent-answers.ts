import type { FastifyReply } from 'fastify';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { SharedBound } from '../lib/shared-bound.ts';
import { whenClosed } from './when-closed.ts';

/** Smaller answers are gone at once, however slowly a client reads. */
const LARGE_ANSWER_BYTES = 65_536;
/** What of a stream is in memory at most: a page that was read, and the next one. */
const STREAM_BYTES = 4 * 1_048_576;
/** A client that reads nothing of a large answer for so long is cut off. */
const STALLED_MS = 30_000;

/**
 * Large answers that their clients have not read yet. A caller that has too many of them gets no
 * further ones, and leaves half of the memory to others.
 */
export class UnsentAnswers {
  readonly #bytes: SharedBound;
  readonly #stalledMs: number;

  constructor(maxBytes: number, stalledMs = STALLED_MS) {
    this.#bytes = new SharedBound(maxBytes);
    this.#stalledMs = stalledMs;
  }

  get resourceLimit(): ResourceLimit {
    return this.#bytes.resourceLimit('unsent_answers', 1);
  }

  isFull(group: string): boolean {
    return this.#bytes.isFull(group);
  }

  watch({ raw }: Pick<FastifyReply, 'raw'>, group: string, text: string): void {
    // A character takes three bytes at most.
    if (text.length < LARGE_ANSWER_BYTES / 3) return;
    const bytes = Buffer.byteLength(text);
    if (bytes < LARGE_ANSWER_BYTES) return;
    this.#hold(raw, group, bytes);
  }

  watchStream({ raw }: Pick<FastifyReply, 'raw'>, group: string): void {
    this.#hold(raw, group, STREAM_BYTES);
  }

  #hold(raw: FastifyReply['raw'], group: string, bytes: number): void {
    whenClosed(raw, this.#bytes.take(group, bytes));
    raw.setTimeout(this.#stalledMs, () => raw.destroy());
  }
}
