import type { KeywardError } from './error.ts';

const PERIOD_MS = 1000;

/** One line a second with a count, however many requests an outage refuses. */
export function logOnceASecond<Request>(
  write: (line: string, request: Request) => void,
): (error: KeywardError, request: Request) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  let untold = 0;
  return ({ message, requestId }, request) => {
    untold++;
    if (performance.now() - lastMs < PERIOD_MS) return;
    lastMs = performance.now();
    const id = requestId === null ? '' : `, request ${requestId}`;
    write(`Keyward gave no verdict: ${message}${id}; refused with 503: ${untold}`, request);
    untold = 0;
  };
}

/** Where a process without a logger looks for its faults. */
export function toStderr(line: string): void {
  // biome-ignore lint/suspicious/noConsole: it has no other place
  console.error(line);
}
