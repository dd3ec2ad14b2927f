import type { Pepper } from '../credentials/pepper.ts';
import { chainHash, FIRST_HEAD, type Head } from './chain.ts';

/** A stored entry of the log. */
export interface ChainRow {
  workspaceId: string;
  sequence: number;
  payload: string;
  hash: string;
  pepperId: string | null;
}

export interface ChainCheckOptions {
  workspaceId: string;
  /** The last link that retention dropped; null where nothing was. */
  checkpoint: Head | null;
  /** By id: every KEYWARD_SECRET that is at hand. */
  peppers: ReadonlyMap<string, Pepper>;
  /** Links that the log is known to have had. */
  expected: readonly Head[];
  /** Takes entries that no KEYWARD_SECRET vouches for, also where one is at hand. */
  allowUnkeyed: boolean;
}

/** Where a log is not what was written. */
export class BrokenChain extends Error {
  override name = 'BrokenChain';
}

interface Written {
  workspaceId?: unknown;
  sequence?: unknown;
  action?: unknown;
  after?: { sequence?: unknown; hash?: unknown } | null;
}

/** Takes a log entry by entry and throws at the first that is not what was written. */
export class ChainWalk {
  readonly #deps: ChainCheckOptions;
  #last: Head;
  #lastPepperId: string | null = null;
  #cutIsOnRecord = false;
  entries = 0;

  constructor(terms: ChainCheckOptions) {
    this.#deps = terms;
    this.#last = terms.checkpoint ?? FIRST_HEAD;
  }

  add(row: ChainRow): void {
    this.#requirePlace(row.sequence);
    const written = parse(row);
    this.#requireOwnPlace(row, written);
    this.#requireKeyed(row);
    if (row.hash !== chainHash(this.#last.hash, row.payload, this.#pepperOf(row))) {
      throw new BrokenChain(`entry ${row.sequence} was changed, or the one before it replaced`);
    }
    this.#requireExpected(row);
    this.#cutIsOnRecord ||= isRecordOf(written, this.#deps.checkpoint);
    this.#last = { sequence: row.sequence, hash: row.hash };
    this.#lastPepperId = row.pepperId;
    this.entries++;
  }

  /** Nothing comes after. Answers what could not be compared. */
  end(head: Head | null): string[] {
    this.#requireEnd(head ?? FIRST_HEAD);
    const { checkpoint, peppers, allowUnkeyed } = this.#deps;
    if (checkpoint && !this.#cutIsOnRecord) {
      throw new BrokenChain(
        `the front up to entry ${checkpoint.sequence} is missing, and no entry records that it was pruned`,
      );
    }
    if (this.entries > 0 && this.#lastPepperId === null && peppers.size > 0 && !allowUnkeyed) {
      throw unkeyed(this.#last.sequence);
    }
    return this.#deps.expected.flatMap((head) => this.#compareOutside(head));
  }

  /** Names the KEYWARD_SECRET that vouches for the newest entry. */
  get keyedBy(): string | null {
    return this.#lastPepperId;
  }

  get last(): Head {
    return this.#last;
  }

  #requirePlace(sequence: number): void {
    const next = this.#last.sequence + 1;
    if (sequence === next) return;
    if (sequence < next) {
      throw new BrokenChain(`entry ${sequence} lies before the checkpoint at ${next - 1}`);
    }
    const gap =
      next === sequence - 1 ? `entry ${next} is` : `entries ${next} to ${sequence - 1} are`;
    const front = next === 1 ? ': the front was cut without a checkpoint' : '';
    throw new BrokenChain(`${gap} missing${front}`);
  }

  #requireOwnPlace({ workspaceId, sequence }: ChainRow, written: Written): void {
    if (written.workspaceId === workspaceId && written.sequence === sequence) return;
    throw new BrokenChain(
      `entry ${sequence} holds what was written as ${written.sequence} of ${written.workspaceId}: entries were moved`,
    );
  }

  /** Once keyed, always keyed: else whoever lacks the secret could go on, or start over, without. */
  #requireKeyed({ sequence, pepperId }: ChainRow): void {
    if (pepperId !== null || this.#lastPepperId === null || this.#deps.allowUnkeyed) return;
    throw unkeyed(sequence);
  }

  #pepperOf({ sequence, pepperId }: ChainRow): Pepper | null {
    if (pepperId === null) return null;
    const pepper = this.#deps.peppers.get(pepperId);
    if (pepper) return pepper;
    throw new BrokenChain(
      `entry ${sequence} cannot be checked without the KEYWARD_SECRET whose id is ${pepperId}`,
    );
  }

  #requireExpected({ sequence, hash }: ChainRow): void {
    const wrong = this.#deps.expected.some(
      (head) => head.sequence === sequence && head.hash !== hash,
    );
    if (wrong) throw rewritten(sequence);
  }

  #requireEnd(head: Head): void {
    const { sequence, hash } = this.#last;
    if (head.sequence > sequence) {
      throw new BrokenChain(
        `the tail was cut: entries ${sequence + 1} to ${head.sequence} are missing`,
      );
    }
    if (head.sequence < sequence || head.hash !== hash) {
      throw new BrokenChain(`the last entry, ${sequence}, is not the one that audit_heads names`);
    }
  }

  /** Expected links that no entry could be compared with. */
  #compareOutside(head: Head): string[] {
    const start = this.#deps.checkpoint ?? FIRST_HEAD;
    if (head.sequence > this.#last.sequence) {
      throw new BrokenChain(
        `the tail was cut: the log ends at ${this.#last.sequence}, the expected head is ${head.sequence}`,
      );
    }
    if (head.sequence === start.sequence && head.hash !== start.hash)
      throw rewritten(head.sequence);
    if (head.sequence >= start.sequence) return [];
    return [`the expected head ${head.sequence} was pruned, up to ${start.sequence}`];
  }
}

function parse({ sequence, payload }: ChainRow): Written {
  try {
    return JSON.parse(payload);
  } catch {
    throw new BrokenChain(`entry ${sequence} was changed: it is not JSON`);
  }
}

function isRecordOf({ action, after }: Written, cut: Head | null): boolean {
  return (
    action === 'audit.pruned' && after?.sequence === cut?.sequence && after?.hash === cut?.hash
  );
}

function rewritten(sequence: number): BrokenChain {
  return new BrokenChain(`entry ${sequence} is not the expected head: the log was rewritten`);
}

function unkeyed(sequence: number): BrokenChain {
  return new BrokenChain(
    `entry ${sequence} is not keyed, so it can be from anyone who writes to the database; --allow-unkeyed where Keyward ran without KEYWARD_SECRET`,
  );
}
