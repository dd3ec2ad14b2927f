import type { IncomingMessage } from 'node:http';

interface HandedOn {
  /** By `performance.now()`. */
  beganAt: number;
  /** Why it must be refused, and nothing of it done again; null: nothing of it has been done. */
  failure: Error | null;
}

/** Requests that were begun in front of the framework, and then handed on to it. */
export class HandedOnRequests {
  readonly #requests = new WeakMap<IncomingMessage, HandedOn>();

  add(request: IncomingMessage, handedOn: HandedOn): void {
    this.#requests.set(request, handedOn);
  }

  get(request: IncomingMessage): HandedOn | undefined {
    return this.#requests.get(request);
  }
}
