import type { IncomingHttpHeaders } from 'node:http';

/** W3C Trace Context: later versions may append fields. */
const TRACE_PARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The call of which a request is a part. */
export interface TraceParent {
  traceId: string;
  spanId: string;
  flags: number;
}

/** Null without a valid `traceparent`. What it has is hexadecimal and of fixed length. */
export function traceParentOf({ traceparent }: IncomingHttpHeaders): TraceParent | null {
  const found = typeof traceparent === 'string' ? TRACE_PARENT.exec(traceparent) : null;
  const [, version, traceId, spanId, flags = '', more] = found ?? [];
  if (!traceId || !spanId || (version === '00' && more !== undefined)) return null;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

export function traceIdOf(headers: IncomingHttpHeaders): string | undefined {
  return traceParentOf(headers)?.traceId;
}
