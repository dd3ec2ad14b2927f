import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  status: { code?: number; message?: string };
  events: unknown[];
  attributes: Record<string, unknown>;
}

/** A collector of OpenTelemetry on loopback, which keeps what it is sent. */
export interface Collector {
  url: string;
  /** The bodies of all exports. */
  received: string[];
  spans: () => Span[];
}

/** @param status what it answers */
export async function startCollector(status = 200): Promise<Collector> {
  const received: string[] = [];
  const server = createServer(async (request, response) => {
    received.push(await text(request));
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    spans: () => received.flatMap((body) => spansIn(JSON.parse(body))),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: what the exporter sends, as it sends it
function spansIn({ resourceSpans }: any): Span[] {
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  const attributesOf = (span: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: likewise
    span.attributes.map(({ key, value }: any) => [key, Object.values(value)[0]]);
  return resourceSpans
    .flatMap(({ scopeSpans }: typeof resourceSpans) => scopeSpans)
    .flatMap(({ spans }: typeof resourceSpans) => spans)
    .map((span: Span) => ({ ...span, attributes: Object.fromEntries(attributesOf(span)) }));
}
