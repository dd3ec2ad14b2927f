import { setTimeout as delay } from 'node:timers/promises';
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from './http/app-type.ts';
import { traceParentOf } from './http/trace-parent.ts';
import { whenClosed } from './http/when-closed.ts';
import type { Log } from './lib/log-events.ts';
import { packageVersion } from './lib/package-version.ts';

/** What a collector that does not answer may delay a stop by. */
const LAST_EXPORT_MS = 2000;

export interface Tracing {
  /** Has a span for each later request; before all other hooks. */
  register: (app: App) => void;
  /** Exports what is left. */
  stop: () => Promise<void>;
}

/**
 * A span for each request, exported as OpenTelemetry's own settings (OTEL_…) say. Our own hooks instead
 * of @fastify/otel, whose spans have the path, the query and messages of errors: any may hold a key.
 * Loaded only if traces are wanted.
 */
export function startTracing(log: Log): Tracing {
  const version = packageVersion();
  const own = resourceFromAttributes({ 'service.name': 'keyward', 'service.version': version });
  const provider = new BasicTracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(tellingFailures(new OTLPTraceExporter(), log))],
  });
  const tracer = provider.getTracer('keyward', version);
  const left = () => provider.shutdown().catch(() => {});
  return {
    register: (app) => registerSpans(app, tracer),
    stop: () => Promise.race([left(), delay(LAST_EXPORT_MS, undefined, { ref: false })]),
  };
}

function tellingFailures(exporter: OTLPTraceExporter, log: Log): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const line = { spans: spans.length, err: result.error };
        if (result.error)
          log.warn({ event: 'traces.not_exported', ...line }, 'traces not exported');
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}

function registerSpans(app: App, tracer: Tracer): void {
  app.addHook('onRequest', (request, reply, done) => {
    const span = startSpan(tracer, request);
    // Also of a client that hangs up.
    whenClosed(reply.raw, () => endSpan(span, request, reply));
    done();
  });
}

/** Nothing that a caller has written but the method, which Node's parser knows. */
function startSpan(tracer: Tracer, request: FastifyRequest): Span {
  const { method, routeOptions } = request;
  const { url: route } = routeOptions;
  const attributes = {
    'http.request.method': method,
    'url.scheme': 'http',
    ...(route !== undefined && { 'http.route': route }),
  };
  const name = route === undefined ? method : `${method} ${route}`;
  return tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parentOf(request));
}

/** Without `tracestate`, which may hold anything. */
function parentOf({ headers }: FastifyRequest): Context {
  const parent = traceParentOf(headers);
  if (!parent) return ROOT_CONTEXT;
  const { traceId, spanId, flags: traceFlags } = parent;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** A client that hangs up before its answer gets no status. */
function endSpan(span: Span, { failure }: FastifyRequest, { raw }: FastifyReply): void {
  if (raw.writableEnded) span.setAttribute('http.response.status_code', raw.statusCode);
  if (raw.writableEnded && raw.statusCode >= 500) {
    span.setAttribute('error.type', failure?.code ?? String(raw.statusCode));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
