/** Answers what is not valid HTTP with a bare status. It is not logged, since it can hold anything. */
export function refuseMalformedRequest(
  error: Error & { code?: string },
  socket: NodeJS.WritableStream,
): void {
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request';
  if (!socket.writable) return;
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
