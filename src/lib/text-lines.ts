import { createReadStream } from 'node:fs';

/** One line of a text file; null if it is longer than the limit. */
export interface TextLine {
  number: number;
  text: string | null;
}

/** The lines of a UTF-8 file without their line ends; only one at a time is in memory. */
export async function* textLines(path: string, maxLength: number): AsyncGenerator<TextLine> {
  let number = 0;
  let rest = '';
  let isTooLong = false;
  for await (const piece of createReadStream(path, 'utf8')) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      yield { number: ++number, text: isTooLong ? null : bounded(line, maxLength) };
      isTooLong = false;
    }
    if (rest.length <= maxLength) continue;
    isTooLong = true;
    rest = '';
  }
  if (isTooLong || rest !== '') {
    yield { number: ++number, text: isTooLong ? null : bounded(rest, maxLength) };
  }
}

function bounded(line: string, maxLength: number): string | null {
  return line.length > maxLength ? null : line.replace(/\r$/, '');
}
