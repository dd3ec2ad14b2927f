import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { type Instance, ROOT_KEY } from './instance.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';

/** How attempts end, and how many of a hundred do: what receivers do to those who call them. */
const REFUSES = 8;
const HANGS_UP = 3;
const IS_SLOW = 5;
const SLOW_MS = 2000;

/** Receives the events of all workspaces and records each attempt. */
export class Receiver {
  readonly #server: Server;
  readonly #recorder: Recorder;
  readonly #random: Random;

  private constructor(server: Server, recorder: Recorder, random: Random) {
    this.#server = server;
    this.#recorder = recorder;
    this.#random = random;
  }

  static async open(recorder: Recorder, random: Random): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server, recorder, random);
    server.on('request', (request, response) => {
      // An attempt whose instance was killed meanwhile ends without its body.
      receiver.#receive(request, response).catch(() => response.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  /** Makes a webhook that takes every event from here on. */
  async subscribe(instance: Instance | undefined): Promise<void> {
    const address = this.#server.address();
    if (!instance || address === null || typeof address === 'string') throw new Error('not open');
    const body = { workspaceId: null, url: `http://127.0.0.1:${address.port}/` };
    const headers = { authorization: `Bearer ${ROOT_KEY}` };
    const { status } = await instance.call('POST', '/v1/webhooks', headers, body);
    if (status !== 201) throw new Error(`the webhook was answered ${status}`);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.now();
    const event: { data: { id: string } } = JSON.parse(await text(request));
    const lot = this.#random.between(0, 99);
    const accepted = lot >= REFUSES + HANGS_UP;
    this.#recorder.add({ type: 'received', eventId: event.data.id, at, accepted });
    if (lot < HANGS_UP) return void request.socket.destroy();
    if (lot >= 100 - IS_SLOW) await delay(SLOW_MS);
    response.writeHead(accepted ? 204 : 500).end();
  }
}
