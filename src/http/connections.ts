import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { canonicalIpRanges } from '../domain/ip.ts';
import { CONNECTION_BYTES } from '../lib/memory-budget.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { refuseMalformedRequest, refuseOnSocket, refuseRequest } from './client-error.ts';
import { OpenSockets } from './open-sockets.ts';
import type { ShedRequests } from './shed-requests.ts';

/** What a connection may take, in milliseconds; each ends at most one check later. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const CHECK_INTERVAL_MS = 1000;
/** Longer than the load balancers in front keep theirs, so that none reuses one that is ending. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** In which nothing is read or written while a request is under way. */
const IDLE_TIMEOUT_MS = 60_000;
const MAX_HEADER_BYTES = 16_384;
/** Requests that wait on one connection behind one that is not yet answered. */
const MAX_PIPELINED = 16;

/** Fastify's options for servers that refuse by themselves what is not HTTP. */
export const serverOptions = (
  connections: Connections,
  fastPath?: { before: (framework: Listener) => Listener },
) => ({
  serverFactory: (framework: Listener) =>
    connections.createServer(fastPath?.before(framework) ?? framework),
  clientErrorHandler: () => {},
});

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

export interface ConnectionBounds {
  max: number;
  maxPerAddress: number;
}

/** Makes the servers of an app, which share these bounds, however many addresses it listens on. */
export class Connections {
  readonly sockets = new OpenSockets();
  readonly #bounds: ConnectionBounds;
  readonly #shed: ShedRequests;
  readonly #byAddress = new Map<string, number>();
  /** Responses that wait behind an unanswered one. */
  readonly #pipelined = new WeakMap<Socket, Set<ServerResponse>>();

  constructor(bounds: ConnectionBounds, shed: ShedRequests) {
    this.#bounds = bounds;
    this.#shed = shed;
  }

  get resourceLimits(): ResourceLimit[] {
    return [
      {
        name: 'connections',
        bytesEach: CONNECTION_BYTES,
        max: this.#bounds.max,
        used: () => this.sockets.size,
      },
      {
        name: 'connections_of_one_address',
        max: this.#bounds.maxPerAddress,
        // Part of `connections`.
        bytesEach: 0,
        used: () => Math.max(0, ...this.#byAddress.values()),
      },
    ];
  }

  createServer(listener: Listener): Server {
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      // Only what waits behind an unanswered request has no socket of its own yet.
      const isWaiting = response.socket === null;
      if (isWaiting && !this.#mayWait(request, response)) return;
      const start = () => {
        if (lacksHost(request)) refuseRequest(response, 'MALFORMED_HTTP');
        else listener(request, response);
      };
      if (isWaiting && isFromStranger(request))
        return this.sockets.beginInTurn(request, response, start);
      this.sockets.begin(request, response);
      start();
    };
    const server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_INTERVAL_MS,
        // Node's own refusal has no body.
        requireHostHeader: false,
        // An upgraded socket would escape all of these times.
        shouldUpgradeCallback: () => false,
      },
      onRequest,
    );
    // Node drops further headers silently; their bytes are bounded.
    server.maxHeadersCount = 0;
    server.setTimeout(IDLE_TIMEOUT_MS);
    server.on('connection', (socket) => this.#count(socket));
    server.on('clientError', refuseMalformedRequest);
    server.on('connect', (_request, socket) => refuseOnSocket(socket, 'METHOD_NOT_ALLOWED'));
    server.on('checkExpectation', (_request, response) =>
      refuseRequest(response, 'EXPECTATION_FAILED'),
    );
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      continueWhenRead(request, response);
      onRequest(request, response);
    });
    return server;
  }

  /** Closes a connection beyond the bounds at once. */
  #count(socket: Socket): void {
    const address = networkOf(socket.remoteAddress ?? '');
    const open = this.#byAddress.get(address) ?? 0;
    const { max, maxPerAddress } = this.#bounds;
    if (this.sockets.size >= max || open >= maxPerAddress) {
      this.#shed.count('connections');
      return void socket.destroy();
    }
    this.#byAddress.set(address, open + 1);
    this.sockets.add(socket);
    socket.once('close', () => {
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#byAddress.set(address, left);
      else this.#byAddress.delete(address);
    });
  }

  /** Closes a connection on which too many requests wait. */
  #mayWait({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const waiting = this.#pipelined.get(socket) ?? this.#watch(socket);
    if (socket.destroyed || waiting.size >= MAX_PIPELINED) {
      this.#shed.count('connections');
      socket.destroy();
      return false;
    }
    waiting.add(response);
    response.once('close', () => waiting.delete(response));
    return true;
  }

  /** Before Node 24, a response whose turn has not come does not notice that its connection closes. */
  #watch(socket: Socket): Set<ServerResponse> {
    const waiting = new Set<ServerResponse>();
    this.#pipelined.set(socket, waiting);
    socket.once('close', () => {
      for (const response of [...waiting]) {
        response.destroy();
        if (!response.closed) response.emit('close');
      }
    });
    return waiting;
  }
}

/** One IPv4 address, or the IPv6 network whose addresses one host can use at will. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  return plain.includes(':') ? (canonicalIpRanges([`${plain}/64`])[0] ?? plain) : plain;
}

/** Without a credential: many of them would be answered, or refused, in one go. */
function isFromStranger({ url = '/', headers }: IncomingMessage): boolean {
  if (!url.startsWith('/v1/')) return true;
  return !headers.authorization && !headers['x-keyward-authorization'];
}

function lacksHost({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.host === undefined && httpVersion === '1.1';
}

/** Invites the body only when somebody reads it, never the body of a request that is refused. */
function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  request.once('resume', () => {
    if (!response.headersSent) response.writeContinue();
  });
}
