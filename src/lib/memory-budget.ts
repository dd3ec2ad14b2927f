import { getHeapStatistics } from 'node:v8';

const MIB = 1024 * 1024;
/** V8 counts the young generation in its limit, which nothing that is kept can use. */
const YOUNG_GENERATION_BYTES = 192 * MIB;

/** How much memory each thing may take that callers make grow. docs/memory.md has their sum. */
export interface MemoryBudget {
  /** Cached credentials, by their size. */
  credentialBytes: number;
  /** Digests of strings that were verified, by their size. */
  digestBytes: number;
  /** Bodies of requests that arrive, and long ones until they are answered. */
  bodyBytes: number;
  /** Bodies of management calls at work or waiting, as they arrived. */
  heldBodyBytes: number;
  /** Large answers that their clients have not read yet. */
  unsentBytes: number;
  /** Management calls at work, by what their bodies and answers may take. */
  managementBytes: number;
  /** Rows in one statement that loads credentials. */
  loadedRows: number;
  /** Verifications that wait for a load, or to consume. */
  waiting: number;
  counters: number;
  denials: number;
  /** Requests in flight. */
  requests: number;
  connections: number;
}

/** The heap that what is kept may fill: `--max-old-space-size`, or V8's own choice. */
export function heapLimit(): number {
  const { heap_size_limit: limit } = getHeapStatistics();
  return Math.max(limit - YOUNG_GENERATION_BYTES, limit / 2);
}

/** Shares of the heap, each with a most where more would serve nobody. */
export function memoryBudget(heap: number, cacheMib?: number): MemoryBudget {
  const cache = cacheMib === undefined ? Math.min(heap / 4, 256 * MIB) : cacheMib * MIB;
  const most = (max: number, share: number, bytesEach = 1) =>
    Math.max(1, Math.min(max, Math.floor(heap / share / bytesEach)));
  return {
    credentialBytes: Math.floor(cache * 0.75),
    digestBytes: Math.floor(cache * 0.25),
    bodyBytes: most(64 * MIB, 32),
    heldBodyBytes: most(64 * MIB, 64),
    unsentBytes: most(256 * MIB, 8),
    managementBytes: most(1024 * MIB, 8),
    loadedRows: most(500, 64, LOADED_ROW_BYTES),
    waiting: most(20_000, 64, WAITING_BYTES),
    counters: most(200_000, 32, COUNTER_BYTES),
    denials: most(50_000, 64, DENIAL_BYTES),
    requests: most(2000, 16, REQUEST_BYTES),
    connections: most(10_000, 32, CONNECTION_BYTES),
  };
}

/** What one of each takes at most: a row raw and parsed, with the scopes of its workspace. */
export const LOADED_ROW_BYTES = 512 * 1024;
/** A request that waits for others of its kind. */
export const WAITING_BYTES = 512;
/** Work that waits for a place, with its texts. */
export const WAITING_TASK_BYTES = 1024;
/** With the address and the user agent of the last client. */
export const COUNTER_BYTES = 1024;
export const DENIAL_BYTES = 1024;
/** Its headers, at most 16 KiB, and what belongs to it. */
export const REQUEST_BYTES = 24 * 1024;
/** A socket and its parser, without a request. */
export const CONNECTION_BYTES = 4096;
