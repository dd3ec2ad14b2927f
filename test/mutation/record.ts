import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A part of a file's text and what to put in its place. */
export interface Edit {
  file: string;
  from: number;
  to: number;
  replacement: string;
}

/** Refused: the compiler or Postgres would not have it, so that no test has to notice it. */
export type Outcome = 'killed' | 'timed out' | 'survived' | 'refused';

export interface Tried extends Edit {
  line: number;
  original: string;
  outcome: Outcome;
  seconds: number;
}

export interface Result {
  area: string;
  seed: number;
  /** How many mutants there are, tried or not. */
  mutants: number;
  tried: Tried[];
}

const FOLDER = join(import.meta.dirname, 'results');

/** Writes each outcome down as soon as it is known: a run may be ended early. */
export class Recorder {
  readonly #result: Result;
  #since = performance.now();

  constructor(area: string, seed: number, mutants: number) {
    this.#result = { area, seed, mutants, tried: [] };
  }

  get result(): Result {
    return this.#result;
  }

  add(edit: Edit, outcome: Outcome): void {
    const text = readFileSync(edit.file, 'utf8');
    const now = performance.now();
    const tried = {
      ...edit,
      line: text.slice(0, edit.from).split('\n').length,
      original: text.slice(edit.from, edit.to),
      outcome,
      seconds: Math.round(now - this.#since) / 1000,
    };
    this.#since = now;
    this.#result.tried.push(tried);
    write(this.#result);
    process.stdout.write(`${lineOf(tried)}\n`);
  }
}

function write(result: Result): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${result.area}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

export function applied(text: string, { from, to, replacement }: Edit): string {
  return text.slice(0, from) + replacement + text.slice(to);
}

export function lineOf({ outcome, seconds, file, line, original, replacement }: Tried): string {
  const place = `${outcome.padEnd(11)} ${seconds.toFixed(1).padStart(5)} s  ${file}:${line}`;
  return `${place}  ${brief(original)} → ${brief(replacement) || '(nothing)'}`;
}

function brief(text: string): string {
  const oneLine = text.replaceAll(/\s+/g, ' ').trim();
  return oneLine.length > 70 ? `${oneLine.slice(0, 69)}…` : oneLine;
}
