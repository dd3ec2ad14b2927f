import type { components } from './openapi.ts';

type Schemas = components['schemas'];

export type FieldError = Schemas['FieldError'];

/**
 * Of the client itself. UNREACHABLE: the question was surely not asked. NO_ANSWER: it may have been.
 * BAD_ANSWER: what answered is not Keyward. QUEUE_FULL: too many questions wait already. NOT_ASKED: a
 * function of the guarded route failed.
 */
export type ClientErrorCode =
  | 'UNREACHABLE'
  | 'NO_ANSWER'
  | 'BAD_ANSWER'
  | 'QUEUE_FULL'
  | 'NOT_ASKED';

/** A later Keyward may have further codes. */
export type KeywardErrorCode = Schemas['ErrorCode'] | ClientErrorCode | (string & {});

export interface KeywardErrorFields {
  code: KeywardErrorCode;
  detail: string;
  status?: number | null;
  requestId?: string | null;
  errors?: readonly FieldError[];
  retryAfterSeconds?: number | null;
}

/** Keyward's format of key strings, management keys included. */
const KEYS = /[a-z][a-z0-9_]{0,23}_[0-9A-Za-z]{65}/g;

/** Why there is no answer: a problem (RFC 9457) of Keyward, or of the way there. It has no key in it. */
export class KeywardError extends Error {
  override readonly name = 'KeywardError';
  readonly code: KeywardErrorCode;
  /** Of the HTTP answer; null if there was none. */
  readonly status: number | null;
  /** Finds the call in Keyward's log. */
  readonly requestId: string | null;
  readonly errors: readonly FieldError[];
  readonly retryAfterSeconds: number | null;

  constructor(fields: KeywardErrorFields) {
    super(`${fields.code}: ${fields.detail}`.replace(KEYS, '[redacted]'));
    this.code = fields.code;
    this.status = fields.status ?? null;
    this.requestId = fields.requestId ?? null;
    this.errors = (fields.errors ?? []).map(({ pointer, detail }) => ({
      pointer: pointer.replace(KEYS, '[redacted]'),
      detail: detail.replace(KEYS, '[redacted]'),
    }));
    this.retryAfterSeconds = fields.retryAfterSeconds ?? null;
  }
}
