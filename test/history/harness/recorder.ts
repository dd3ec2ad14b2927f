import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { Entry } from '../history.ts';

/** Records the history in memory for the checker and in a file for people. */
export class Recorder {
  readonly entries: Entry[] = [];
  readonly #file: WriteStream;
  calls = 0;
  faults = 0;
  /** Made beside the history, which has nothing of them. */
  attacks = 0;

  constructor(path: string) {
    this.#file = createWriteStream(path);
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    if (entry.type === 'verify' || entry.type === 'change') this.calls++;
    if (entry.type === 'fault') this.faults++;
    this.#file.write(`${JSON.stringify(entry)}\n`);
  }

  async close(): Promise<void> {
    this.#file.end();
    await once(this.#file, 'close');
  }
}
