import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { type ErrorCode, KeywardError } from '../errors.ts';
import { problemBody, statusOf } from './problem.ts';

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'BODY_TOO_LARGE',
};

/** Answers what Node's parser refuses. It is not logged, since it can hold anything. */
export function refuseMalformedRequest(
  error: Error & { code?: string },
  socket: NodeJS.WritableStream,
): void {
  if (!socket.writable) return;
  const { status, id, body } = problemOf(CODES[error.code ?? ''] ?? 'MALFORMED_HTTP');
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'connection: close',
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Node answers an `Expect` header that it does not know by itself, without a body. */
export function refuseExpectations(server: Server): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const { status, id, body } = problemOf('EXPECTATION_FAILED');
    const headers = { connection: 'close', 'content-type': PROBLEM_TYPE, 'x-request-id': id };
    response.writeHead(status, headers).end(body);
  });
}

function problemOf(code: ErrorCode) {
  const problem = new KeywardError(code);
  const id = `req_${randomUUID()}`;
  return { status: statusOf(problem), id, body: JSON.stringify(problemBody(problem, id)) };
}
