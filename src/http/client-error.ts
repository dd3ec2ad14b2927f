import { randomUUID } from 'node:crypto';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, KeywardError } from '../errors.ts';
import { problemBody, statusOf } from './problem.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'BODY_TOO_LARGE',
};

/** Answers what Node's parser refuses. It is not logged, since it can hold anything. */
export function refuseMalformedRequest(error: Error & { code?: string }, socket: Duplex): void {
  refuseOnSocket(socket, CODES[error.code ?? ''] ?? 'MALFORMED_HTTP');
}

/** How long a refused client may take to read why, which closing at once could cut off. */
const LINGER_MS = 1000;

/** Refuses where there is no response to write to. */
export function refuseOnSocket(socket: Duplex, code: ErrorCode): void {
  if (!socket.writable) return;
  const { status, headers, body } = problemOf(code);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** Refuses what Node would refuse without a body. */
export function refuseRequest(response: ServerResponse, code: ErrorCode): void {
  const { status, headers, body } = problemOf(code);
  response.writeHead(status, headers).end(body);
}

function problemOf(code: ErrorCode) {
  const problem = new KeywardError(code);
  const id = `req_${randomUUID()}`;
  const body = JSON.stringify(problemBody(problem, id));
  const headers = {
    connection: 'close',
    'cache-control': 'no-store',
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-request-id': id,
  };
  return { status: statusOf(problem), headers, body };
}
