import { setTimeout as delay } from 'node:timers/promises';
import type { Limit } from '../history.ts';
import type { Random } from './random.ts';

/** A key string, as its holder knows it. */
export interface KnownString {
  key: string;
  ref: string;
}

export interface KnownKey {
  id: string;
  workspaceId: string;
  /** The newest comes last. */
  strings: KnownString[];
  hasCredits: boolean;
  limit: Limit | null;
  hasEnded: boolean;
}

export interface KnownManagementKey {
  id: string;
  strings: KnownString[];
  hasEnded: boolean;
}

export const WORKSPACES = ['default', 'alpha', 'beta'] as const;
/**
 * Includes keys that have ended, which are presented for a while, since the promises are about
 * them.
 */
const PRESENTED_KEYS = 60;

/** What the clients know from the answers that they got. */
export class World {
  keys: KnownKey[] = [];
  managementKeys: KnownManagementKey[] = [];
  readonly checksumKey: Uint8Array;
  #pause: Promise<void> | null = null;
  #activeSteps = 0;

  constructor(checksumKey: Uint8Array) {
    this.checksumKey = checksumKey;
  }

  /** Runs one step of a client; it does not begin during a pause. */
  async step(work: () => Promise<unknown>): Promise<void> {
    while (this.#pause) await this.#pause;
    this.#activeSteps++;
    try {
      await work();
    } finally {
      this.#activeSteps--;
    }
  }

  /** Runs while all clients are paused. */
  async pauseFor(work: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = promise;
    try {
      while (this.#activeSteps > 0) await delay(10);
      await work();
    } finally {
      this.#pause = null;
      resolve();
    }
  }

  add(key: KnownKey): void {
    this.keys.push(key);
    if (this.keys.length <= PRESENTED_KEYS) return;
    const over = this.keys.findIndex(({ hasEnded }) => hasEnded);
    this.keys.splice(Math.max(over, 0), 1);
  }

  get activeKeys(): KnownKey[] {
    return this.keys.filter(({ hasEnded }) => !hasEnded);
  }

  /** Picks newer keys much more often than older ones. */
  pickKey(random: Random): KnownKey | null {
    if (this.keys.length === 0) return null;
    const skewed = Math.floor(random.next() ** 2 * this.keys.length);
    return this.keys[this.keys.length - 1 - skewed] ?? null;
  }

  pickString(random: Random, { strings }: KnownKey | KnownManagementKey): KnownString | null {
    if (strings.length === 0) return null;
    if (random.chance(0.75)) return strings.at(-1) ?? null;
    return random.pick(strings.slice(-3));
  }
}

export function knownString(key: string): KnownString {
  return { key, ref: key.slice(-65, -49) };
}
