import type { Pepper } from '../../domain/pepper.ts';
import type { WriteLine } from '../../lib/logger.ts';
import { STDOUT } from '../store.ts';
import type { Outcome } from './attempt-result.ts';
import type { HttpSender } from './http-sender.ts';
import { messageOf, signedHeaders, signingSecretsOf } from './message.ts';
import type { Claim } from './queue.ts';
import { auditLine } from './stdout-line.ts';

interface TransportOptions {
  pepper: Pepper | null;
  sender: HttpSender;
  writeLine: WriteLine;
  timeoutMs: number;
}

/** Sends a claimed event once: to a receiver by HTTP, or to stdout. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** Null if `stopping` ended it, so that nothing is known of it. */
  async send(claim: Claim, at: Date, stopping: AbortSignal): Promise<Outcome | null> {
    const message = messageOf(claim);
    if (!message) return failed('entry_unreadable');
    if (claim.webhookId === STDOUT) return this.#write(claim, stopping);
    const { pepper, sender } = this.#options;
    const secrets = signingSecretsOf(claim, pepper?.webhookKey ?? null, at);
    if (!secrets) return failed('secret_unreadable');
    const { contentType, body } = message;
    const headers = { 'content-type': contentType, ...signedHeaders(message, secrets, at) };
    return sender.send(claim.url, headers, body, stopping);
  }

  /** A reader that does not read delays this alone. */
  async #write({ payload, hash }: Claim, stopping: AbortSignal): Promise<Outcome | null> {
    const { writeLine, timeoutMs } = this.#options;
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), stopping]);
    try {
      await writeLine(auditLine(payload ?? '', hash ?? ''), signal);
      return { status: null, error: null };
    } catch {
      return stopping.aborted ? null : failed('not_written');
    }
  }
}

function failed(error: NonNullable<Outcome['error']>): Outcome {
  return { status: null, error };
}
