import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { App } from '../../src/http/app-type.ts';
import type { Instance } from './instance.ts';

/** Listens on a free port of the loopback address. */
export async function listen({ service: { app } }: Instance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return portOf(app);
}

export function portOf({ server }: App): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

/** A connection of which every byte is the test's own. */
export class RawConnection {
  readonly socket: Socket;
  #received = '';
  #isEnded = false;
  #listeners: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    const changed = () => {
      for (const listener of this.#listeners.splice(0)) listener();
    };
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
      changed();
    });
    for (const end of ['end', 'close', 'error']) {
      socket.on(end, () => {
        this.#isEnded = true;
        changed();
      });
    }
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  get received(): string {
    return this.#received;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Hangs up without waiting for an answer. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Everything that was received before the server ended the connection. */
  async untilEnded(): Promise<string> {
    while (!this.#isEnded) await this.#change();
    return this.#received;
  }

  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received)) {
      if (this.#isEnded) throw new Error(`ended after ${this.#received}`);
      await this.#change();
    }
    return this.#received;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#listeners.push(resolve));
  }
}

/** The head of a request, as text. */
export function head(call: string, headers: Record<string, string | number> = {}): string {
  const lines = Object.entries({ Host: 'keyward', ...headers }).map(([name, v]) => `${name}: ${v}`);
  return `${call} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** The statuses of the answers in what was received. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
