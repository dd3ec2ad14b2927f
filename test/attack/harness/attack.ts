import { randomBytes } from 'node:crypto';
import { Agent, type OutgoingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Given, Target } from '../scenario.ts';
import { add } from './samples.ts';

/** Bounds of every attack, whatever its scenario asks for. */
const MAX_CONNECTIONS = 200;
const MAX_SOCKETS = 2050;
const MAX_REQUESTS = 50_000;
/** Where a scenario names no pace of its own: answers that come at once must not become a flood. */
const MAX_PER_SECOND = 500;
const REOPENED_PER_SECOND = 200;

export interface AttackRequest {
  method?: string;
  path: string;
  headers?: OutgoingHttpHeaders;
  /** An object is sent as JSON. */
  body?: object | string | Buffer;
  /** The management key that is presented: the attacker's own by default; null presents none. */
  as?: string | null;
}

interface Pace {
  /** Calls under way at once. */
  connections: number;
  /** Over all of them. */
  perSecond?: number;
}

/** What an attacker can do, within bounds, until it is told to stop. */
export class Attack {
  readonly target: Target;
  readonly signal: AbortSignal;
  /** Answers by status and code, and what came in place of one. */
  readonly tally = new Map<string, number>();
  /** Resolves when it has begun in full: its requests repeat, or every socket is open. */
  readonly underWay: Promise<void>;
  readonly begin: () => void;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  #requests = 0;

  constructor(target: Target, signal: AbortSignal) {
    this.target = target;
    this.signal = signal;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.underWay = promise;
    this.begin = resolve;
    signal.addEventListener('abort', () => this.#agent.destroy());
  }

  get given(): Given {
    return this.target.given;
  }

  /** Sends requests over a number of connections, at a pace, until the signal. */
  async hammer(pace: Pace, make: (count: number) => AttackRequest): Promise<void> {
    await this.repeat(pace, (count) => this.send(make(count)));
  }

  async repeat(
    { connections, perSecond = MAX_PER_SECOND }: Pace,
    step: (count: number) => Promise<unknown>,
  ): Promise<void> {
    const started = performance.now();
    const places = Math.min(connections, MAX_CONNECTIONS);
    let count = 0;
    this.begin();
    const work = async () => {
      while (!this.signal.aborted && this.#requests < MAX_REQUESTS) {
        const turn = count++;
        await this.pause(started + (turn * 1000) / perSecond - performance.now());
        if (!this.signal.aborted) await step(turn);
      }
    };
    await Promise.all(Array.from({ length: places }, work));
  }

  /** The status and the text of the answer; never rejects. */
  async send(options: AttackRequest): Promise<{ status: number; text: string }> {
    this.#requests++;
    const answer = await this.#exchange(options).catch((error: NodeJS.ErrnoException) => ({
      status: 0,
      text: error.code ?? 'no answer',
    }));
    if (!this.signal.aborted) add(this.tally, nameOf(answer));
    return answer;
  }

  /**
   * Opens sockets, writes what `first` says on each, and keeps them open; those that the service
   * ends are opened again. `from` spreads them over addresses of loopback.
   */
  async hold(count: number, first: (socket: Socket) => void, addresses = 1): Promise<void> {
    const places = Array.from({ length: Math.min(count, MAX_SOCKETS) }, (_, place) => place);
    let unopened = places.length;
    const opened = (socket: Socket) => {
      first(socket);
      if (--unopened === 0) this.begin();
    };
    await Promise.all(
      places.map(async (place) => {
        await this.pause(place / 5);
        while (!this.signal.aborted) {
          await this.#holdOne(opened, `127.0.1.${1 + (place % addresses)}`);
          await this.pause((places.length * 1000) / REOPENED_PER_SECOND);
        }
      }),
    );
  }

  /** Hand-written SQL, as the owner of the tables or in the role of the service. */
  async sql<Result>(use: (client: pg.Client) => Promise<Result>, isThief = false): Promise<Result> {
    const client = new pg.Client({ connectionString: this.target.databaseUrl });
    client.on('error', () => {});
    await client.connect();
    try {
      if (isThief) await client.query(`set role ${this.target.runtimeRole}`);
      return await use(client);
    } finally {
      await client.end();
    }
  }

  /** Ends early at the signal. */
  async pause(ms: number): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal: this.signal }).catch(() => {});
  }

  async #holdOne(first: (socket: Socket) => void, from: string): Promise<void> {
    const { hostname, port } = new URL(this.target.url);
    const own = process.platform === 'linux' ? { localAddress: from } : {};
    const socket = connect({ host: hostname, port: Number(port), ...own });
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = () => socket.destroy();
    this.signal.addEventListener('abort', end, { once: true });
    socket.on('connect', () => first(socket));
    socket.once('data', (chunk: Buffer) => add(this.tally, chunk.toString('latin1').slice(9, 12)));
    socket.on('error', end);
    socket.once('close', () => resolve());
    await promise;
    this.signal.removeEventListener('abort', end);
    if (!this.signal.aborted) add(this.tally, 'closed');
  }

  #exchange(options: AttackRequest): Promise<{ status: number; text: string }> {
    const { method = 'POST', path, body, as = this.target.managementKey, headers = {} } = options;
    const { hostname, port } = new URL(this.target.url);
    const bytes = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body;
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const sent = request({
      agent: this.#agent,
      hostname,
      port,
      method,
      path,
      headers: {
        ...(as !== null && { authorization: `Bearer ${as}` }),
        ...(bytes !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(bytes),
        }),
        ...headers,
      },
    });
    sent.on('response', (response) => {
      // Of a large answer the beginning is enough.
      let text = '';
      response.on('data', (chunk: Buffer) => {
        if (text.length < 100_000) text += chunk.toString('latin1');
      });
      response.once('error', reject);
      response.once('close', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.once('error', reject);
    sent.end(bytes);
    return promise;
  }
}

function nameOf({ status, text }: { status: number; text: string }): string {
  if (status === 0) return text;
  const code = status < 400 ? undefined : /"code":"([A-Z_]+)"/.exec(text)?.[1];
  return code === undefined ? String(status) : `${status} ${code}`;
}

/** Random text that no checksum accepts, in the form of a key. */
export function unknownKey(prefix: string): string {
  const text = randomBytes(80)
    .toString('base64')
    .replaceAll(/[^0-9A-Za-z]/g, '0');
  return `${prefix}_${text.slice(0, 65)}`;
}
