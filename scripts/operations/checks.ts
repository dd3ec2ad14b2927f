import { isDeepStrictEqual } from 'node:util';

let failures = 0;

/** A line for each thing that is compared. */
export function same(what: string, actual: unknown, expected: unknown): void {
  const isSame = isDeepStrictEqual(actual, expected);
  if (!isSame) failures++;
  const difference = `: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`;
  note(isSame ? `✓ ${what}` : `✗ ${what}${difference}`);
}

export function note(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Waits until something that is still being written is there, or says what is instead. */
export async function settled<Value>(
  read: () => Promise<Value>,
  isThere: (value: Value) => boolean,
): Promise<Value> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const value = await read();
    if (isThere(value) || performance.now() > deadline) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function exitCode(): number {
  return failures === 0 ? 0 : 1;
}
