import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { packageVersion } from '../../lib/package-version.ts';
import type { Failure, Outcome } from './attempt-result.ts';
import {
  AddressNotAllowed,
  allowedFor,
  checkedLookup,
  NameNotResolved,
  type ResolveHost,
  requireAllowedLiteral,
} from './checked-lookup.ts';

const MAX_ANSWER_BYTES = 65_536;
const GONE = 410;
/** Answers such as `100 Continue` before the one that counts: a flood of them would busy the process. */
const MAX_INTERIM_ANSWERS = 8;

interface HttpSenderOptions {
  /** Where webhooks may be sent besides public addresses. */
  networks: readonly string[];
  resolve: ResolveHost;
  /** For the lookup, the connection and the answer together. */
  timeoutMs: number;
}

/** Sends one message, follows no redirect, and reads a bounded answer, of which it keeps the status alone. */
export class HttpSender {
  readonly #options: HttpSenderOptions;
  readonly #userAgent = `Keyward/${packageVersion()}`;

  constructor(options: HttpSenderOptions) {
    this.#options = options;
  }

  /** Null if `stopping` ended it, so that nothing is known of it. */
  async send(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    stopping: AbortSignal,
  ): Promise<Outcome | null> {
    const late = AbortSignal.timeout(this.#options.timeoutMs);
    const signal = AbortSignal.any([late, stopping]);
    try {
      return await this.#post(new URL(url), headers, body, signal);
    } catch (error) {
      if (stopping.aborted) return null;
      return { status: null, error: late.aborted ? 'timed_out' : failureOf(error) };
    }
  }

  /** On a connection of its own: one that is kept would still be open to an address of yesterday. */
  #post(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { networks, resolve: resolveHost } = this.#options;
    const isAllowed = allowedFor(url, networks);
    requireAllowedLiteral(url, isAllowed);
    const { request } = url.protocol === 'https:' ? https : http;
    const sent = request(url, {
      method: 'POST',
      agent: false,
      lookup: checkedLookup(resolveHost, isAllowed),
      signal,
      headers: {
        ...headers,
        'content-length': Buffer.byteLength(body),
        'user-agent': this.#userAgent,
      },
    });
    sent.end(body);
    return outcomeOf(sent);
  }
}

function outcomeOf(sent: ClientRequest): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const closed = () => reject(new Error('closed before an answer'));
  let interim = 0;
  sent.on('information', () => {
    if (++interim > MAX_INTERIM_ANSWERS) sent.destroy(new Error('too many interim answers'));
  });
  sent.once('response', (answer) => {
    sent.off('close', closed);
    readAnswer(answer).then(resolve, reject);
  });
  sent.on('error', reject);
  sent.once('close', closed);
  return promise;
}

async function readAnswer(answer: IncomingMessage): Promise<Outcome> {
  const status = answer.statusCode ?? 0;
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) return { status, error: 'answer_too_large' };
  }
  return { status, error: failureOfStatus(status) };
}

function failureOfStatus(status: number): Failure | null {
  if (status >= 200 && status < 300) return null;
  if (status === GONE) return 'gone';
  return status >= 300 && status < 400 ? 'redirected' : 'status_not_2xx';
}

function failureOf(error: unknown): Failure {
  if (error instanceof AddressNotAllowed) return 'address_not_allowed';
  if (error instanceof NameNotResolved) return 'name_not_resolved';
  return isOfCertificate(error) ? 'certificate_refused' : 'connection_failed';
}

function isOfCertificate(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /CERT|ERR_TLS|SELF_SIGNED|UNABLE_TO_/.test(code);
}
