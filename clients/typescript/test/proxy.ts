import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What became of one call. `forward` lets Keyward answer it. */
type Behaviour = (forward: () => Promise<Passed>, response: ServerResponse) => Promise<unknown>;

interface Passed {
  status: number;
  headers: Headers;
  body: string;
}

export interface SeenCall {
  path: string;
  /** Verifications in it. */
  items: number;
  authorization: string | undefined;
  idempotencyKey: string | undefined;
}

/** Between a client and Keyward: counts the calls, and does to the next ones what a test says. */
export class CallProxy {
  readonly calls: SeenCall[] = [];
  readonly #behaviours: Behaviour[] = [];
  readonly #server = createServer((request, response) => void this.#carry(request, response));
  readonly #target: string;

  constructor(target: string) {
    this.#target = target;
  }

  static async open(target: string): Promise<CallProxy> {
    const proxy = new CallProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${isAddress(address) ? address.port : 0}`;
  }

  get paths(): string[] {
    return this.calls.map(({ path }) => path);
  }

  /** For the next calls in turn; those after them are forwarded. */
  next(...behaviours: Behaviour[]): void {
    this.#behaviours.push(...behaviours);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #carry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const { authorization, 'idempotency-key': idempotencyKey } = request.headersDistinct;
    this.calls.push({
      path: request.url ?? '',
      items: body.match(/"key":/g)?.length ?? 0,
      authorization: authorization?.[0],
      idempotencyKey: idempotencyKey?.[0],
    });
    const behave = this.#behaviours.shift() ?? pass;
    await behave(() => this.#forward(request, body), response);
  }

  async #forward({ url, method = 'GET', headers }: IncomingMessage, body: string): Promise<Passed> {
    const passed = ['authorization', 'content-type', 'idempotency-key'].flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value] satisfies [string, string]] : [];
    });
    const answer = await fetch(this.#target + url, {
      ...{ method, headers: passed, body: body === '' ? null : body },
    });
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  }
}

function isAddress(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

const pass: Behaviour = async (forward, response) => {
  const { status, headers, body } = await forward();
  for (const name of ['content-type', 'retry-after', 'etag']) {
    const value = headers.get(name);
    if (value !== null) response.setHeader(name, value);
  }
  response.writeHead(status).end(body);
};

/** Keyward answers, and the answer is lost. */
export const cutAfter: Behaviour = async (forward, response) => {
  await forward();
  response.destroy();
};

/** Keyward is not asked, and the connection ends. */
export const cutBefore: Behaviour = async (_forward, response) => response.destroy();

/** Nothing answers. */
export const silence: Behaviour = async () => {};

/** The answer waits. */
export function holdUntil(gate: Promise<unknown>): Behaviour {
  return async (forward, response) => {
    await gate;
    await pass(forward, response);
  };
}

/** Answers in Keyward's place. */
export function answerWith(
  status: number,
  body: object | string,
  headers: Record<string, string> = {},
): Behaviour {
  const shown = typeof body === 'string' ? body : JSON.stringify(body);
  return async (_forward, response) => response.writeHead(status, headers).end(shown);
}

/** A problem, as Keyward sends it. */
export function refuseWith(
  status: number,
  code: string,
  headers: Record<string, string> = {},
): Behaviour {
  const problem = { type: 'about:blank', title: '', status, code, detail: 'Refused.', errors: [] };
  return answerWith(status, { ...problem, requestId: 'req_1' }, headers);
}
