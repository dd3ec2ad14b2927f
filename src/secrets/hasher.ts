import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import type { Bound } from '../lib/bound.ts';
import { Lane } from '../lib/lane.ts';

export interface Argon2Cost {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

/** Who waits for whom: `low` is for what anyone may ask. */
export type ProofLane = 'verification' | 'low';

/** Keys of other systems are hashed again in the background: new keys never wait for that. */
export type HashLane = 'issuance' | 'hardening';

/** Argon2id in bounded lanes, so that neither verifying nor issuing can starve the other. */
export class Hasher {
  readonly #cost: Argon2Cost;
  readonly #proofs: Record<ProofLane, Lane> = {
    verification: new Lane(Math.max(1, availableParallelism() - 1), 64),
    low: new Lane(1, 16),
  };
  readonly #hashes: Record<HashLane, Lane> = {
    issuance: new Lane(1, 64),
    hardening: new Lane(1, 16),
  };
  #runs = 0;

  constructor(cost: Argon2Cost) {
    this.#cost = cost;
  }

  /** How many hashes were computed since the start. */
  get runs(): number {
    return this.#runs;
  }

  get bounds(): Bound[] {
    const lanes = { ...this.#proofs, ...this.#hashes };
    return Object.entries(lanes).map(([name, lane]) => lane.boundAs(`argon2_${name}_waiting`));
  }

  hash(key: string, lane: HashLane): Promise<string> {
    return this.#hashes[lane].run(() => {
      this.#runs++;
      return argon2.hash(key, { ...this.#cost, type: argon2.argon2id });
    });
  }

  matches(hash: string, key: string, lane: ProofLane): Promise<boolean> {
    return this.#proofs[lane].run(() => {
      this.#runs++;
      return argon2.verify(hash, key);
    });
  }
}
