import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { turnQueue } from '../lib/turns.ts';

/** How long a stop waits for clients: for the rest of a request, or until an answer is read. */
const CLIENT_GRACE_MS = 1000;
const SWEEP_MS = 20;

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** Whether the application has it; else it waits for its turn. */
  isStarted: boolean;
}

/** The open connections with their unanswered requests, so that a stop knows which of them to close. */
export class OpenSockets {
  readonly #exchanges = new Map<Socket, Exchange[]>();
  #sweep: NodeJS.Timeout | undefined;
  #isEnded = false;
  readonly #nextTurn = turnQueue();

  /** Whether the service is stopping: idle connections are closed, new requests refused. */
  get isDraining(): boolean {
    return this.#sweep !== undefined;
  }

  get size(): number {
    return this.#exchanges.size;
  }

  add(socket: Socket): void {
    if (this.#isEnded) return void socket.destroy();
    this.#exchanges.set(socket, []);
    socket.once('close', () => this.#exchanges.delete(socket));
  }

  begin(request: IncomingMessage, response: ServerResponse): void {
    this.#record({ request, response, isStarted: true });
  }

  /** Starts it once the request before it on its connection is answered, and others had their turn. */
  beginInTurn(request: IncomingMessage, response: ServerResponse, start: () => void): void {
    const previous = this.#exchanges.get(request.socket)?.at(-1);
    // Its body would wait too, in memory that nobody counts.
    if (!previous || hasBody(request)) return void request.socket.destroy();
    const exchange = { request, response, isStarted: false };
    this.#record(exchange);
    previous.response.once('close', async () => {
      await this.#nextTurn();
      if (!response.socket || response.socket.destroyed) return;
      exchange.isStarted = true;
      start();
    });
  }

  #record(exchange: Exchange): void {
    const { request, response } = exchange;
    const own = this.#exchanges.get(request.socket);
    if (!own) return;
    own.push(exchange);
    // Not kept until the next one: a request has keys in it.
    response.once('close', () => own.splice(own.indexOf(exchange), 1));
  }

  /** Closes what is idle at once and what becomes idle then; what waits for its client, after a grace. */
  drain(): void {
    const graceEndsAt = performance.now() + CLIENT_GRACE_MS;
    const sweep = () => this.#close(performance.now() >= graceEndsAt);
    sweep();
    this.#sweep = setInterval(sweep, SWEEP_MS);
  }

  /** Closes all of them, whatever they do. */
  end(): void {
    this.#isEnded = true;
    clearInterval(this.#sweep);
    for (const socket of this.#exchanges.keys()) socket.destroy();
  }

  #close(isGraceOver: boolean): void {
    for (const [socket, exchanges] of this.#exchanges) {
      if (exchanges.some(isAtWork)) continue;
      if (isGraceOver || exchanges.every(isDone)) socket.destroy();
    }
  }
}

/** Whether it is the application that its end depends on. */
function isAtWork({ request, response, isStarted }: Exchange): boolean {
  return isStarted && request.complete && !response.writableEnded;
}

function isDone({ request, response }: Exchange): boolean {
  return request.complete && response.writableFinished;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
