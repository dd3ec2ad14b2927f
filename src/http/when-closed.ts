import type { ServerResponse } from 'node:http';

/** Calls back once, also for a client that has hung up before: `close` is not emitted again. */
export function whenClosed(response: ServerResponse, callback: () => void): void {
  if (response.closed || response.destroyed) callback();
  else response.once('close', callback);
}
