import type { Caller } from '../domain/caller.ts';
import { invalidField, KeywardError } from '../errors.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { type Rate, TokenBuckets } from '../lib/token-buckets.ts';

/**
 * The calls a second that callers may make on this instance: each counts for its management key and
 * for the workspace that it is bound to. Callers without a maximum cost one look at a field.
 */
export class RequestRates {
  readonly #buckets: TokenBuckets;

  constructor(now: () => number) {
    this.#buckets = new TokenBuckets(now);
  }

  get resourceLimits(): ResourceLimit[] {
    return [this.#buckets.resourceLimit('request_rates')];
  }

  /** Whether a caller may make a call now, which then counts. */
  admits(caller: Caller): boolean {
    return caller.maxRequestsPerSecond === null || this.#buckets.take(ratesOf(caller), 1);
  }

  /** Throws TOO_MANY_REQUESTS beyond the maximum. */
  take(caller: Caller): void {
    if (!this.admits(caller)) throw new KeywardError('TOO_MANY_REQUESTS', rulesOf(caller));
  }

  /**
   * Counts the items of a call, which are at `pointer`, beyond the first one, which counted as the call.
   * More than a second allows never pass: INVALID_REQUEST. What it returns gives them back, and may be
   * called once.
   */
  takeItems(caller: Caller, items: number, pointer: string): () => void {
    if (caller.maxRequestsPerSecond === null || items <= 1) return () => {};
    const rates = ratesOf(caller);
    const max = Math.min(...rates.map(({ perSecond }) => perSecond));
    if (items > max) {
      throw invalidField(pointer, `must have at most ${max} items: ${rulesOf(caller)}`);
    }
    if (this.#buckets.take(rates, items - 1)) {
      return () => this.#buckets.giveBack(rates, items - 1);
    }
    throw new KeywardError(
      'TOO_MANY_REQUESTS',
      `Each of the ${items} items counts as a request, of which ${max} a second are allowed: send fewer at once.`,
    );
  }
}

function rulesOf({ maxRequestsPerSecond }: Caller): string {
  const { own = null, workspace = null } = maxRequestsPerSecond ?? {};
  return [
    ...(own === null ? [] : [`This management key may make ${own} requests a second.`]),
    ...(workspace === null ? [] : [`Its workspace may make ${workspace} requests a second.`]),
  ].join(' ');
}

function ratesOf({ id, workspaceId, maxRequestsPerSecond }: Caller): Rate[] {
  const { own = null, workspace = null } = maxRequestsPerSecond ?? {};
  // No id begins with a space, so that a workspace never shares the bucket of a management key.
  return [
    ...(own === null ? [] : [{ id, perSecond: own }]),
    ...(workspace === null ? [] : [{ id: ` ${workspaceId}`, perSecond: workspace }]),
  ];
}
