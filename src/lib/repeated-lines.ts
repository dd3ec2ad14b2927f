const INTERVAL_MS = 1000;
/** After this long without it, a line is news again. */
const QUIET_INTERVALS = 60;

/** Writes a line; with what it stands for if earlier ones like it were held back. */
type Write = (repeated: number | null) => void;

interface Repetition {
  timer: NodeJS.Timeout;
  /** Since the line that was written last. */
  count: number;
  latest: Write;
  quiet: number;
}

let suppressed = 0;

/** Lines that this process has held back: others with their number stand for them. */
export function suppressedLines(): number {
  return suppressed;
}

/**
 * Lets the first of equal lines through, and then at most one a second, with their number: an outage
 * would write a line for every request.
 */
export class RepeatedLines {
  readonly #repetitions = new Map<string, Repetition>();

  /** @param key what makes lines equal; one of a bounded number of texts */
  add(key: string, write: Write): void {
    const repetition = this.#repetitions.get(key);
    if (repetition) {
      repetition.count++;
      repetition.latest = write;
      return;
    }
    const timer = setInterval(() => this.#report(key), INTERVAL_MS).unref();
    this.#repetitions.set(key, { timer, count: 0, latest: write, quiet: 0 });
    write(null);
  }

  #report(key: string): void {
    const repetition = this.#repetitions.get(key);
    if (!repetition) return;
    const { count, latest, timer } = repetition;
    repetition.count = 0;
    repetition.quiet = count > 0 ? 0 : repetition.quiet + 1;
    if (count > 0) latest(count);
    suppressed += Math.max(0, count - 1);
    if (repetition.quiet < QUIET_INTERVALS) return;
    clearInterval(timer);
    this.#repetitions.delete(key);
  }
}
