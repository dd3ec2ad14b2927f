import { connect, type Socket } from 'node:net';

export interface Answer {
  status: number;
  body: string;
}

const LOST = 'the server closed a connection';
const END_OF_HEADERS = '\r\n\r\n';
const LENGTH = /^content-length: *(\d+)/im;

/**
 * One connection for one request at a time, to servers that send the length of their answers. With
 * few cores a client library costs more than the server, so that the client would be measured.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #host: string;
  #received = '';
  #waiting: PromiseWithResolvers<Answer> | null = null;
  #isLost = false;

  /** `from` is the address of this machine that it comes from. */
  constructor(url: string, from?: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    const own = from === undefined ? {} : { localAddress: from };
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true, ...own });
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    const lost = () => {
      this.#isLost = true;
      this.#waiting?.reject(new Error(LOST));
    };
    this.#socket.on('error', lost);
    this.#socket.on('close', lost);
  }

  /** A request as it is sent over the wire, for repeated use. */
  prepare(path: string, authorization: string, body: string): Buffer {
    return Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n` +
        `authorization: ${authorization}\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  send(request: Buffer): Promise<Answer> {
    if (this.#isLost) return Promise.reject(new Error(LOST));
    this.#waiting = Promise.withResolvers<Answer>();
    this.#socket.write(request);
    return this.#waiting.promise;
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received += chunk.toString('latin1');
    const headers = this.#received.indexOf(END_OF_HEADERS);
    if (headers < 0) return;
    const start = headers + END_OF_HEADERS.length;
    const length = Number(LENGTH.exec(this.#received)?.[1]);
    if (this.#received.length < start + length) return;
    const answer = {
      status: Number(this.#received.slice(9, 12)),
      body: this.#received.slice(start),
    };
    this.#received = '';
    this.#waiting?.resolve(answer);
  }
}
