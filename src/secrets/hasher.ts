import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import { Lane } from '../lib/lane.ts';

export interface Argon2Cost {
  memoryCost: number;
  timeCost: number;
  parallelism: number;
}

/** Argon2id in bounded lanes, so that neither verifying nor issuing can starve the other. */
export class Hasher {
  readonly #cost: Argon2Cost;
  readonly #verification = new Lane(Math.max(1, availableParallelism() - 1), 64);
  readonly #issuance = new Lane(1, 64);
  #runs = 0;

  constructor(cost: Argon2Cost) {
    this.#cost = cost;
  }

  /** How many hashes were computed since the start. */
  get runs(): number {
    return this.#runs;
  }

  hash(key: string): Promise<string> {
    return this.#issuance.run(() => {
      this.#runs++;
      return argon2.hash(key, { ...this.#cost, type: argon2.argon2id });
    });
  }

  matches(hash: string, key: string): Promise<boolean> {
    return this.#verification.run(() => {
      this.#runs++;
      return argon2.verify(hash, key);
    });
  }
}
