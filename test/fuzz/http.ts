import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';

export interface HttpRequest {
  method: string;
  /** With the query, as in the request line. */
  path: string;
  headers: Record<string, string | string[]>;
  body: Buffer | null;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Parsed if the content type is JSON; undefined if that fails. */
  body: unknown;
}

const TIMEOUT_MS = 20_000;
const RAW_TIMEOUT_MS = 500;

/** Sends requests over persistent connections. */
export class Sender {
  readonly #agent: Agent;
  readonly #url: URL;

  constructor(url: string, connections: number) {
    this.#url = new URL(url);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Rejects if no answer comes. */
  send({ method, path, headers, body }: HttpRequest): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const { hostname, port } = this.#url;
    const options = { agent: this.#agent, hostname, port, method, path, headers };
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, text, body: parsed(text, headers['content-type']) });
      });
    });
    sent.setTimeout(TIMEOUT_MS, () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    sent.once('error', reject);
    sent.end(body ?? undefined);
    return promise;
  }

  /** Writes bytes to a new connection, and returns what is received until it ends or times out. */
  raw(bytes: Buffer): Promise<string> {
    const socket = connect(Number(this.#url.port), this.#url.hostname);
    const chunks: Buffer[] = [];
    socket.setTimeout(RAW_TIMEOUT_MS, () => socket.destroy());
    socket.on('data', (chunk) => chunks.push(chunk));
    // The server may close the connection.
    socket.on('error', () => socket.destroy());
    socket.write(bytes);
    return new Promise((resolve) => {
      socket.once('close', () => resolve(Buffer.concat(chunks).toString()));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function parsed(text: string, type: string | undefined): unknown {
  if (!type?.includes('json')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
