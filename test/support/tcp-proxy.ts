import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A proxy between an instance and its Postgres that a test can cut or silence. */
export class TcpProxy {
  readonly url: string;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #isSilent = false;
  #cutAt: { text: Buffer; reaches: boolean } | null = null;
  /** Connections that were attempted. */
  attempts = 0;

  private constructor(databaseUrl: string, server: Server, port: number) {
    this.#target = new URL(databaseUrl);
    const url = new URL(databaseUrl);
    url.searchParams.delete('host');
    url.hostname = '127.0.0.1';
    url.port = String(port);
    this.url = url.href;
    server.on('connection', (client) => this.#carry(client));
  }

  /** Closed when the test ends. */
  static async open(databaseUrl: string): Promise<TcpProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new TcpProxy(databaseUrl, server, (server.address() as AddressInfo).port);
    onTestFinished(() => {
      server.close();
      proxy.cut();
    });
    return proxy;
  }

  /** Ends all connections and accepts no new ones. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Passes nothing on, without closing any connection. */
  silence(): void {
    this.#isSilent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  restore(): void {
    this.#isCut = false;
    this.#isSilent = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /**
   * The next statement with this text reaches Postgres, but the connection is cut before its
   * answer.
   */
  cutAfter(text: string): void {
    this.#cutAt = { text: Buffer.from(text), reaches: true };
  }

  /** The next statement with this text does not reach Postgres: the connection is cut. */
  cutBefore(text: string): void {
    this.#cutAt = { text: Buffer.from(text), reaches: false };
  }

  #carry(client: Socket): void {
    this.attempts++;
    if (this.#isCut) {
      client.destroy();
      return;
    }
    const server = this.#dial();
    let isLast = false;
    client.on('data', (data) => {
      const cut = this.#cutAt;
      if (!cut || !data.includes(cut.text)) {
        server.write(data);
        return;
      }
      this.#cutAt = null;
      isLast = true;
      if (cut.reaches) server.write(data);
      else server.destroy();
    });
    server.on('data', (data) => {
      if (isLast) server.destroy();
      else client.write(data);
    });
    this.#pair(client, server);
  }

  #pair(client: Socket, server: Socket): void {
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      if (this.#isSilent) socket.pause();
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }

  #dial(): Socket {
    const folder = this.#target.searchParams.get('host');
    const port = Number(this.#target.port || 5432);
    if (folder?.startsWith('/')) return connect(`${folder}/.s.PGSQL.${port}`);
    return connect(port, folder ?? this.#target.hostname);
  }
}
