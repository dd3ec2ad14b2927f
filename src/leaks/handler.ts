import { LRUCache } from 'lru-cache';
import type { CredentialResolver } from '../credentials/credential-resolver.ts';
import type { RootKey } from '../domain/root-key.ts';
import type { KeyDetector } from '../http/key-detector.ts';
import type { InTurn } from '../lib/fair-queue.ts';
import type { Log } from '../lib/log-events.ts';
import { TokenBuckets } from '../lib/token-buckets.ts';
import { foundAt } from './found-at.ts';
import type { Order, Outcome, ReportHandler } from './queue.ts';
import type { LeakReport } from './report.ts';
import type { LeakResponse } from './response.ts';

/** Strings without a valid checksum that are looked up, of each entrance. */
const LOOKUPS_PER_SECOND = 100;
/** Strings that are known to be done with: reports of them cost no write. */
const MAX_DONE = 1000;
const DONE_MS = 60_000;

export interface LeakHandlerDependencies {
  resolver: CredentialResolver;
  rootKey: RootKey | null;
  detector: KeyDetector;
  response: LeakResponse;
  inBackground: InTurn;
  log: Log;
  now: () => number;
}

/**
 * Looks at what was reported. The checksum tells almost every string that is none of ours: of the
 * others, which may be imported keys, a few are looked up each second. Argon2 runs in its lowest lane.
 */
export class LeakHandler implements ReportHandler {
  readonly #deps: LeakHandlerDependencies;
  readonly #lookups: TokenBuckets;
  readonly #done = new LRUCache<string, true>({ max: MAX_DONE, ttl: DONE_MS });

  constructor(deps: LeakHandlerDependencies) {
    this.#deps = deps;
    this.#lookups = new TokenBuckets(deps.now);
  }

  /** A stop waits for the strings with a valid checksum alone. */
  orderOf({ text, entrance }: LeakReport, stopping: AbortSignal): Order {
    const { resolver, rootKey } = this.#deps;
    const { ref, digest } = resolver.present(text);
    if (ref !== null || rootKey?.hasDigest(digest)) return 'now';
    return !stopping.aborted && this.#mayLookUp(entrance) ? 'later' : 'never';
  }

  async handle(report: LeakReport): Promise<Outcome> {
    const { resolver, rootKey, log } = this.#deps;
    const { text, entrance } = report;
    if (rootKey?.isPresented(text)) {
      log.error({ event: 'leak.root_key' }, 'the root key was reported as leaked: replace it');
      return 'matched';
    }
    const credential = await resolver.resolveAny(text);
    if (!credential) return 'unmatched';
    if (!this.#done.has(credential.ref)) {
      const { response, detector, inBackground } = this.#deps;
      const from = { ...foundAt(report, detector), reportedBy: entrance };
      await inBackground(() => response.respond(credential, from));
      this.#done.set(credential.ref, true);
    }
    return 'matched';
  }

  #mayLookUp(entrance: string): boolean {
    return this.#lookups.take([{ id: entrance, perSecond: LOOKUPS_PER_SECOND }], 1);
  }
}
