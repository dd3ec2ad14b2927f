import { WAITING_TASK_BYTES } from './memory-budget.ts';
import { OverloadError, type ShedReason } from './overload-error.ts';
import type { ResourceLimit } from './resource-limit.ts';

/** Runs a step when it may take a connection. */
export type InTurn = <T>(step: () => Promise<T>) => Promise<T>;

export interface FairQueueBounds {
  /** Tasks at work at once. */
  places: number;
  /** Places beside those that urgent tasks alone may take. */
  urgentPlaces?: number;
  /** Places that one group may have, even if no other one waits; with urgent tasks, half of all. */
  placesEach?: number;
  /** Tasks that may wait, of one group and of all. One more is refused. */
  maxWaitingEach: number;
  maxWaiting: number;
  /** What is full then. */
  reason: ShedReason;
}

/** Whom a task is for, and how it is served. */
export interface Ticket {
  group: string;
  /** Served before all others, which get every fourth turn. */
  urgent?: boolean;
  /** How many places it takes: a task that takes more memory leaves fewer to others. */
  weight?: number;
  /**
   * Counts for its group for as long again as it took; other groups have its places meanwhile. So does
   * a task that fails, unless it is urgent: what is refused again and again takes time from others.
   */
  rests?: boolean;
}

/** Urgent tasks in a row while others wait. */
const URGENT_IN_ROW = 3;

interface Next {
  group: string;
  weight: number;
  urgent: boolean;
}

interface Waiting {
  start: () => void;
  weight: number;
}

/** What waits, each group in the order of arrival, and the groups in turns. */
class WaitingGroups {
  readonly #groups = new Map<string, Waiting[]>();

  get size(): number {
    return this.#groups.size;
  }

  count(group: string): number {
    return this.#groups.get(group)?.length ?? 0;
  }

  add(group: string, waiting: Waiting): void {
    const others = this.#groups.get(group);
    if (others) others.push(waiting);
    else this.#groups.set(group, [waiting]);
  }

  /** The first of the first group whose turn it is and that may have one now. */
  next(
    isAllowed: (group: string, weight: number) => boolean,
  ): { group: string; weight: number } | null {
    for (const [group, [first]] of this.#groups) {
      if (first && isAllowed(group, first.weight)) return { group, weight: first.weight };
    }
    return null;
  }

  /** Takes the first of a group, whose next turn comes after those of all others. */
  take(group: string): Waiting | undefined {
    const waiting = this.#groups.get(group);
    const first = waiting?.shift();
    this.#groups.delete(group);
    if (waiting && waiting.length > 0) this.#groups.set(group, waiting);
    return first;
  }
}

/**
 * Runs a bounded number of tasks at once. What waits is served group by group in turns, urgent tasks
 * first, and no group that has half of the places gets another one while others wait. A group over its
 * bound of waiting tasks is refused, and no other.
 */
export class FairQueue {
  readonly #bounds: FairQueueBounds;
  readonly #urgent = new WaitingGroups();
  readonly #normal = new WaitingGroups();
  readonly #running = new Map<string, number>();
  #used = 0;
  #waiting = 0;
  #urgentInRow = 0;

  constructor(bounds: FairQueueBounds) {
    this.#bounds = bounds;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Places in use. */
  get used(): number {
    return this.#used;
  }

  resourceLimit(name: string): ResourceLimit {
    const { maxWaiting: max } = this.#bounds;
    return { name, max, bytesEach: WAITING_TASK_BYTES, used: () => this.#waiting };
  }

  async run<T>(ticket: Ticket, work: () => Promise<T>): Promise<T> {
    const { group, urgent = false, rests = false } = ticket;
    const weight = Math.min(ticket.weight ?? 1, this.#bounds.places);
    const entered = this.#enter(group, urgent, weight);
    if (entered) await entered;
    const began = performance.now();
    let isRefused = true;
    try {
      const result = await work();
      isRefused = false;
      return result;
    } finally {
      this.#used -= weight;
      if (rests || (isRefused && !urgent)) {
        setTimeout(() => this.#leave(group, weight), performance.now() - began).unref();
        this.#startNext();
      } else this.#leave(group, weight);
    }
  }

  #enter(group: string, urgent: boolean, weight: number): Promise<void> | null {
    const waiting = urgent ? this.#urgent : this.#normal;
    if (this.#waiting === 0 && this.#fits(weight, urgent) && this.#mayHave(group, weight, urgent)) {
      this.#occupy(group, weight);
      return null;
    }
    const { maxWaiting, maxWaitingEach, reason } = this.#bounds;
    if (this.#waiting >= maxWaiting || waiting.count(group) >= maxWaitingEach) {
      throw new OverloadError(reason, 'too many tasks are waiting');
    }
    this.#waiting++;
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.add(group, { weight, start: resolve });
    this.#startNext();
    return promise;
  }

  #fits(weight: number, urgent: boolean): boolean {
    const { places, urgentPlaces = 0 } = this.#bounds;
    return this.#used + weight <= places + (urgent ? urgentPlaces : 0);
  }

  /** However heavy its tasks are, a group has one of them. */
  #mayHave(group: string, weight: number, urgent: boolean): boolean {
    const { places, urgentPlaces = 0, placesEach = places } = this.#bounds;
    const running = this.#running.get(group) ?? 0;
    const half = Math.ceil((places + urgentPlaces) / 2);
    const most = urgent ? Math.max(placesEach, half) : placesEach;
    return running === 0 || running + weight <= most;
  }

  #occupy(group: string, weight: number): void {
    this.#used += weight;
    this.#running.set(group, (this.#running.get(group) ?? 0) + weight);
  }

  #leave(group: string, weight: number): void {
    const left = (this.#running.get(group) ?? 0) - weight;
    if (left > 0) this.#running.set(group, left);
    else this.#running.delete(group);
    this.#startNext();
  }

  /** What does not fit yet is waited for, so that no later task of its kind passes it by. */
  #startNext(): void {
    for (
      let next = this.#next();
      next && this.#fits(next.weight, next.urgent);
      next = this.#next()
    ) {
      this.#occupy(next.group, next.weight);
      this.#waiting--;
      this.#urgentInRow = next.urgent ? this.#urgentInRow + 1 : 0;
      (next.urgent ? this.#urgent : this.#normal).take(next.group)?.start();
    }
  }

  /** An urgent task, but of those that wait beside it one after each few. */
  #next(): Next | null {
    const other = this.#nextOf(false);
    const isItsTurn =
      this.#urgentInRow >= URGENT_IN_ROW && other && this.#fits(other.weight, false);
    return isItsTurn ? other : (this.#nextOf(true) ?? other);
  }

  #nextOf(urgent: boolean): Next | null {
    const waiting = urgent ? this.#urgent : this.#normal;
    const isTurn = (group: string) => this.#hasShare(group) || this.#isAlone(group);
    const next = waiting.next(
      (group, weight) => isTurn(group) && this.#mayHave(group, weight, urgent),
    );
    return next && { ...next, urgent };
  }

  #hasShare(group: string): boolean {
    return (this.#running.get(group) ?? 0) < Math.ceil(this.#bounds.places / 2);
  }

  #isAlone(group: string): boolean {
    const others = (waiting: WaitingGroups) => waiting.size - Math.min(1, waiting.count(group));
    return others(this.#urgent) + others(this.#normal) === 0;
  }
}
