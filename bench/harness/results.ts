import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

/** Prints a table for people and writes it for programs. */
export async function publish(name: string, rows: readonly object[]): Promise<void> {
  // biome-ignore lint/suspicious/noConsole: the table is what the benchmark is for
  console.table(rows);
  await writeResult(`${name}.json`, JSON.stringify(rows, null, 2));
}

export async function writeResult(file: string, text: string): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  await writeFile(RESULTS + file, text);
}

/** Prints progress to stderr. */
export function log(text: string): void {
  process.stderr.write(`${text}\n`);
}
