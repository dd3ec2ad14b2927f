import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from './random.ts';

/**
 * Text of a statement that writes counters or consumes limits; its answer is lost with the
 * connection.
 */
export type CutAt = typeof CLAIM | 'consume_limits';

export const CLAIM = 'append_usage_log';
/** In the parameters of that statement: the lane, then the sequence, each with its length. */
const SEQUENCE = /usage-\d\W{4}(\d+)/;
/** The statement was executed and its transaction has ended. */
const WRITTEN = /SELECT 1.*Z\W{4}I$/s;
const READY = /Z\W{4}[IE]$/;
/** The name of the statement that loads credentials into the cache. */
const LOAD = 'load_credentials';

/** One connection between an instance and Postgres. */
interface ProxiedConnection {
  client: Socket;
  server: Socket;
  /** The number of the batch of counters that is being written. */
  sequence: number | null;
  dropResponse: boolean;
  /** Whether credentials are being loaded. */
  isLoad: boolean;
}

/** The network between one instance and Postgres, which can delay, cut and swallow data. */
export class Network {
  readonly url: string;
  /** Called when the answer to a commit of counters is passed on to the instance. */
  onFlush: (sequence: number) => void = () => {};
  #socketPath: string;
  readonly #server: Server;
  readonly #random: Random;
  readonly #connections = new Set<ProxiedConnection>();
  #delayMs = 0;
  #loadDelayMs = 0;
  #isCut = false;
  #isSilent = false;
  #cutAt: CutAt | null = null;

  private constructor(databaseUrl: string, server: Server, random: Random) {
    const url = new URL(databaseUrl);
    this.#socketPath = socketOf(url);
    url.searchParams.delete('host');
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as AddressInfo).port);
    this.url = url.href;
    this.#server = server;
    this.#random = random;
    server.on('connection', (client) => this.#carry(client));
  }

  static async open(databaseUrl: string, random: Random): Promise<Network> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Network(databaseUrl, server, random);
  }

  /** Delays data by up to that time, in order within a connection. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  /**
   * Delays only the answers to loads by up to that time, so that fences and changes overtake them.
   */
  delayLoads(milliseconds: number): void {
    this.#loadDelayMs = milliseconds;
  }

  cut(): void {
    this.#isCut = true;
    for (const line of this.#connections) destroy(line);
  }

  /** Ends the connections; those that follow reach this server, once the network is restored. */
  redirect(databaseUrl: string): void {
    this.cut();
    this.#socketPath = socketOf(new URL(databaseUrl));
  }

  /** Passes nothing on, while both ends keep their connections. */
  silence(): void {
    this.#isSilent = true;
  }

  /** The next such statement reaches Postgres, but its answer is lost with the connection. */
  cutAt(statement: CutAt): void {
    this.#cutAt = statement;
  }

  /** Connections whose data was swallowed are closed. */
  restore(): void {
    if (this.#isSilent) for (const line of this.#connections) destroy(line);
    this.#delayMs = 0;
    this.#loadDelayMs = 0;
    this.#isCut = false;
    this.#isSilent = false;
    this.#cutAt = null;
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #carry(client: Socket): void {
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const server = connect(this.#socketPath);
    const line: ProxiedConnection = {
      client,
      server,
      sequence: null,
      dropResponse: false,
      isLoad: false,
    };
    this.#connections.add(line);
    this.#pipe(line, client, server, (data) => this.#onRequest(line, data));
    this.#pipe(line, server, client, (data) => this.#onResponse(line, data));
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => destroy(line));
      socket.on('close', () => {
        this.#connections.delete(line);
        destroy(line);
      });
    }
  }

  #pipe(line: ProxiedConnection, from: Socket, to: Socket, see: (data: Buffer) => void): void {
    const delayed: { data: Buffer; due: number }[] = [];
    const pass = (data: Buffer) => {
      if (!to.writable || this.#isSilent) return;
      see(data);
      if (!line.dropResponse || to === line.server) to.write(data);
      else destroy(line);
    };
    // Timers of different lengths can end in another order, so each looks at the first that waits.
    const passDue = () => {
      for (let next = delayed[0]; next && next.due <= performance.now(); next = delayed[0]) {
        delayed.shift();
        pass(next.data);
      }
      const [next] = delayed;
      if (next) setTimeout(passDue, Math.max(0, next.due - performance.now()));
    };
    from.on('data', (data) => {
      if (this.#isSilent) return;
      const delayMs = line.isLoad && to === line.client ? this.#loadDelayMs : this.#delayMs;
      const isFirst = delayed.length === 0;
      delayed.push({ data, due: performance.now() + this.#random.next() * delayMs });
      if (isFirst) passDue();
    });
  }

  #onRequest(line: ProxiedConnection, data: Buffer): void {
    const text = data.toString('latin1');
    line.isLoad = this.#loadDelayMs > 0 && text.includes(LOAD);
    if (text.includes(CLAIM)) line.sequence = Number(SEQUENCE.exec(text)?.[1] ?? 0);
    if (this.#cutAt === null || !text.includes(this.#cutAt)) return;
    this.#cutAt = null;
    line.dropResponse = true;
  }

  #onResponse(line: ProxiedConnection, data: Buffer): void {
    if (line.sequence === null || line.dropResponse) return;
    const text = data.toString('latin1');
    if (WRITTEN.test(text)) this.onFlush(line.sequence);
    if (READY.test(text)) line.sequence = null;
  }
}

function socketOf({ searchParams, port }: URL): string {
  return `${searchParams.get('host')}/.s.PGSQL.${port}`;
}

function destroy({ client, server }: ProxiedConnection): void {
  client.destroy();
  server.destroy();
}
