import type { Position, RefusedLine } from './report.ts';

const SHOW_EVERY_MS = 1000;
/** Without a report, at most this many refused lines are shown: a file can be full of them. */
const MAX_SHOWN = 20;

/** Reports the progress of an import on stderr. */
export class Progress {
  readonly #first: Position;
  readonly #startedAt = performance.now();
  #position: Position;
  #shownAt = performance.now();
  #shown = 0;

  constructor(position: Position) {
    this.#first = position;
    this.#position = position;
    if (position.line > 0) process.stderr.write(`Going on after line ${position.line}.\n`);
  }

  get position(): Position {
    return this.#position;
  }

  add(position: Position): void {
    this.#position = position;
    if (performance.now() - this.#shownAt >= SHOW_EVERY_MS) this.#showPosition();
  }

  /** Shows invalid lines, for an import without a report. */
  show(refused: readonly RefusedLine[]): void {
    const invalid = refused.filter(({ status }) => status === 'invalid');
    for (const { line, errors } of invalid.slice(0, MAX_SHOWN - this.#shown)) {
      const details = errors.map(({ pointer, detail }) => `${pointer} ${detail}`.trim()).join('; ');
      process.stderr.write(`line ${line}: ${details}\n`);
      this.#shown++;
    }
  }

  end(): void {
    this.#showPosition();
  }

  #showPosition(): void {
    const { line, created, duplicates, invalid } = this.#position;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const perSecond = Math.round((keysOf(this.#position) - keysOf(this.#first)) / seconds);
    process.stderr.write(
      `${line} lines: ${created} created, ${duplicates} duplicates, ${invalid} invalid; ` +
        `${perSecond} per second\n`,
    );
    this.#shownAt = performance.now();
  }
}

function keysOf({ created, duplicates, invalid }: Position): number {
  return created + duplicates + invalid;
}
