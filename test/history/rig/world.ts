import { setTimeout as delay } from 'node:timers/promises';
import type { Limit } from '../history.ts';
import type { Random } from './random.ts';

/** A string as its holder knows it. */
export interface HeldString {
  key: string;
  ref: string;
}

export interface HeldKey {
  id: string;
  workspaceId: string;
  /** The newest last. */
  strings: HeldString[];
  hasCredits: boolean;
  limit: Limit | null;
  isOver: boolean;
}

export interface HeldManagementKey {
  id: string;
  strings: HeldString[];
  isOver: boolean;
}

export const WORKSPACES = ['default', 'alpha', 'beta'] as const;
/** Ended ones go on being presented for a while: that is where the promises are. */
const KEYS_IN_PLAY = 60;

/** What the clients know: only what was answered to them. */
export class World {
  keys: HeldKey[] = [];
  managementKeys: HeldManagementKey[] = [];
  readonly checksumKey: Uint8Array;
  #pause: Promise<void> | null = null;
  #atWork = 0;

  constructor(checksumKey: Uint8Array) {
    this.checksumKey = checksumKey;
  }

  /** What a client does at a time: not begun during a pause. */
  async step(work: () => Promise<unknown>): Promise<void> {
    while (this.#pause) await this.#pause;
    this.#atWork++;
    try {
      await work();
    } finally {
      this.#atWork--;
    }
  }

  /** Runs while all clients stand still. */
  async pauseFor(work: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = promise;
    try {
      while (this.#atWork > 0) await delay(10);
      await work();
    } finally {
      this.#pause = null;
      resolve();
    }
  }

  add(key: HeldKey): void {
    this.keys.push(key);
    if (this.keys.length <= KEYS_IN_PLAY) return;
    const over = this.keys.findIndex(({ isOver }) => isOver);
    this.keys.splice(Math.max(over, 0), 1);
  }

  get living(): HeldKey[] {
    return this.keys.filter(({ isOver }) => !isOver);
  }

  /** Some much more often than others, as in life. */
  pickKey(random: Random): HeldKey | null {
    if (this.keys.length === 0) return null;
    const skewed = Math.floor(random.next() ** 2 * this.keys.length);
    return this.keys[this.keys.length - 1 - skewed] ?? null;
  }

  pickString(random: Random, { strings }: HeldKey | HeldManagementKey): HeldString | null {
    if (strings.length === 0) return null;
    if (random.chance(0.75)) return strings.at(-1) ?? null;
    return random.pick(strings.slice(-3));
  }
}

export function heldString(key: string): HeldString {
  return { key, ref: key.slice(-65, -49) };
}
