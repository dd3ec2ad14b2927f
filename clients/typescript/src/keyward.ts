import type { Fetch } from './exchange.ts';
import { type ManagementApi, managementApi } from './management.ts';
import { requireKnown } from './options.ts';
import type { Verdict, VerifyRequest } from './verdict.ts';
import { Verifications, type VerifyOptions } from './verifications.ts';

export interface KeywardOptions {
  /** Where Keyward listens: `http://keyward.internal:8080`. */
  url: string;
  /** `kw_…`; to verify, one with the permission `keys:verify` alone. */
  managementKey: string;
  /** Of a verification with its attempts, and its time in the queue. Default: 2000. */
  timeoutMs?: number;
  /** Of a call of `api` with its attempts. Default: 30,000. */
  managementTimeoutMs?: number;
  /** Attempts after the first, where they cannot act twice. Default: 1. */
  retries?: number;
  /** HTTP calls for verifications at once; what comes meanwhile shares the next. Default: 4. */
  maxInFlight?: number;
  /** Verifications in an HTTP call, up to 100; 1 asks for each alone. Default: 100. */
  maxBatch?: number;
  /** Verifications that wait for a call; further ones are refused. Default: 1000. */
  maxQueued?: number;
  /** In place of the platform's, for example with a certificate authority of your own. */
  fetch?: Fetch;
}

const DEFAULTS = {
  timeoutMs: 2000,
  managementTimeoutMs: 30_000,
  retries: 1,
  maxInFlight: 4,
  maxBatch: 100,
  maxQueued: 1000,
  fetch: (url: string, init: RequestInit) => fetch(url, init),
};
/** Of items that `/v1/verify/batch` takes. */
const MAX_BATCH = 100;

/** A Keyward service, as one management key may use it. Make one and share it: it holds the queue. */
export class Keyward {
  /** Every call of Keyward with its types, for example `keyward.api.POST('/v1/keys', { body })`. */
  readonly api: ManagementApi;
  readonly #verifications: Verifications;

  constructor(options: KeywardOptions) {
    requireKnown(options, ['url', 'managementKey', ...Object.keys(DEFAULTS)]);
    const { url, managementKey, ...given } = options;
    const settings = { ...DEFAULTS, ...given };
    requireNumbers(settings);
    const target = { url: baseUrlOf(url), authorization: authorizationOf(managementKey) };
    this.api = managementApi({ ...settings, ...target });
    this.#verifications = new Verifications({ ...settings, ...target });
  }

  /**
   * Asks whether a presented key may do what is requested. Let a request through on `valid: true` alone.
   * Rejects with a KeywardError if there is no verdict: then let nothing through.
   */
  verify(request: VerifyRequest, options: VerifyOptions = {}): Promise<Verdict> {
    return this.#verifications.verify(request, options);
  }
}

function requireNumbers(settings: Omit<typeof DEFAULTS, 'fetch'>): void {
  const { timeoutMs, managementTimeoutMs, retries, maxInFlight, maxBatch, maxQueued } = settings;
  const positive = { timeoutMs, managementTimeoutMs, maxInFlight, maxBatch, maxQueued };
  for (const [name, value] of Object.entries(positive)) {
    if (!Number.isInteger(value) || value < 1) throw new TypeError(`${name} is an integer above 0`);
  }
  if (maxBatch > MAX_BATCH) throw new TypeError(`maxBatch is ${MAX_BATCH} at most`);
  if (!Number.isInteger(retries) || retries < 0) throw new TypeError('retries is 0 or more');
}

/** Neither is quoted: an address may have a password in it, and a key may stand in the wrong place. */
function baseUrlOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const isHttp = parsed?.protocol === 'http:' || parsed?.protocol === 'https:';
  if (!parsed || !isHttp || parsed.username || parsed.password || parsed.search || parsed.hash) {
    throw new TypeError(
      'url is the http or https address of Keyward, without credentials or query',
    );
  }
  return parsed.href.replace(/\/+$/, '');
}

function authorizationOf(managementKey: string): string {
  if (!/^[\x21-\x7e]+$/.test(managementKey)) {
    throw new TypeError('managementKey is the key string alone, without spaces and line breaks');
  }
  return `Bearer ${managementKey}`;
}
