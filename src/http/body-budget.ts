import { KeywardError } from '../errors.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';

const SHARE_OF_ONE_CALLER = 1 / 4;
/** What a body counts at least: its request takes memory too. */
const MIN_BYTES = 16_384;

/** Bounds the bodies under way, by the bytes that they declare, together and for each caller. */
export class BodyBudget {
  readonly #byCaller = new Map<string, number>();
  readonly #max: number;
  readonly #maxOfOneCaller: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#max = maxBytes;
    this.#maxOfOneCaller = Math.floor(maxBytes * SHARE_OF_ONE_CALLER);
  }

  get resourceLimits(): ResourceLimit[] {
    return [
      { name: 'body_bytes', max: this.#max, bytesEach: 1, used: () => this.#bytes },
      {
        name: 'body_bytes_of_one_caller',
        max: this.#maxOfOneCaller,
        // Part of `body_bytes`.
        bytesEach: 0,
        used: () => Math.max(0, ...this.#byCaller.values()),
      },
    ];
  }

  /** Returns what was taken, to be given back; throws OVERLOADED if that is too much. */
  take(caller: string, declared: number): number {
    const bytes = Math.max(MIN_BYTES, declared);
    const ofCaller = (this.#byCaller.get(caller) ?? 0) + bytes;
    if (this.#bytes + bytes > this.#max || ofCaller > this.#maxOfOneCaller) {
      throw new KeywardError('OVERLOADED');
    }
    this.#byCaller.set(caller, ofCaller);
    this.#bytes += bytes;
    return bytes;
  }

  giveBack(caller: string, bytes: number): void {
    const left = (this.#byCaller.get(caller) ?? 0) - bytes;
    if (left > 0) this.#byCaller.set(caller, left);
    else this.#byCaller.delete(caller);
    this.#bytes -= bytes;
  }
}
