import type { Pepper } from '../domain/pepper.ts';
import { type ChainRow, chainHash, FIRST_HEAD, type Head } from './chain.ts';

export interface ChainCheckOptions {
  workspaceId: string;
  /** The last link that retention dropped; null if it dropped none. */
  checkpoint: Head | null;
  /** Every known KEYWARD_SECRET, by its id. */
  peppers: ReadonlyMap<string, Pepper>;
  /** Links that the log is known to have had. */
  expected: readonly Head[];
  /** Accepts entries without a keyed hash, even if a KEYWARD_SECRET is known. */
  allowUnkeyed: boolean;
}

/** A log that differs from what was written; the message says where. */
export class BrokenChain extends Error {
  override name = 'BrokenChain';
}

/** What a payload says of itself. It may be forged, so nothing of it is certain. */
interface Claims {
  workspaceId?: unknown;
  sequence?: unknown;
  action?: unknown;
  after?: { sequence?: unknown; hash?: unknown } | null;
}

/** Checks a log entry by entry, and throws at the first that differs from what was written. */
export class ChainWalk {
  readonly #options: ChainCheckOptions;
  #last: Head;
  #lastPepperId: string | null = null;
  #isCutRecorded = false;
  /** Entries that record a break; the last one, until a repair follows it. */
  readonly #breaks: number[] = [];
  #openBreak: number | null = null;
  #entries = 0;

  constructor(options: ChainCheckOptions) {
    this.#options = options;
    this.#last = options.checkpoint ?? FIRST_HEAD;
  }

  /** How many entries were checked. */
  get entries(): number {
    return this.#entries;
  }

  /** Names the KEYWARD_SECRET that keyed the newest entry. */
  get keyedBy(): string | null {
    return this.#lastPepperId;
  }

  get last(): Head {
    return this.#last;
  }

  add(row: ChainRow): void {
    this.#requireNext(row.sequence);
    const claims = parse(row);
    requireUnmoved(row, claims);
    this.#requireKeyed(row);
    if (row.hash !== chainHash(this.#last.hash, row.payload, this.#pepperOf(row))) {
      throw new BrokenChain(`entry ${row.sequence} was changed, or the one before it replaced`);
    }
    this.#requireExpected(row);
    this.#isCutRecorded ||= recordsCut(claims, this.#options.checkpoint);
    this.#noteBreak(row.sequence, claims);
    this.#last = { sequence: row.sequence, hash: row.hash };
    this.#lastPepperId = row.pepperId;
    this.#entries++;
  }

  /** Checks the end of the log against its stored head. Returns what could not be compared. */
  end(head: Head | null): string[] {
    this.#requireStoredHead(head ?? FIRST_HEAD);
    const { checkpoint } = this.#options;
    if (checkpoint && !this.#isCutRecorded) {
      throw new BrokenChain(
        `the front up to entry ${checkpoint.sequence} is missing, and no entry records that it was pruned`,
      );
    }
    const repaired = this.#requireSoundEnd();
    return [...repaired, ...this.#options.expected.flatMap((head) => this.#compareOutside(head))];
  }

  /** Checks the end of a copy, which says nothing of what is before or behind it. Returns likewise. */
  endOfCopy(): string[] {
    const repaired = this.#requireSoundEnd();
    const { expected, checkpoint } = this.#options;
    const start = checkpoint ?? FIRST_HEAD;
    for (const { sequence, hash } of expected) {
      if (sequence > this.#last.sequence) {
        throw new BrokenChain(
          `the end is missing: the copy ends at ${this.#last.sequence}, the expected head is ${sequence}`,
        );
      }
      if (sequence === start.sequence && hash !== start.hash) throw rewritten(sequence);
    }
    const earlier = expected.filter(({ sequence }) => sequence < start.sequence);
    return [
      ...repaired,
      ...earlier.map(({ sequence }) => `the copy begins after the expected head ${sequence}`),
    ];
  }

  /** Returns which breaks were repaired. */
  #requireSoundEnd(): string[] {
    const { peppers, allowUnkeyed } = this.#options;
    if (this.#entries > 0 && this.#lastPepperId === null && peppers.size > 0 && !allowUnkeyed) {
      throw unkeyed(this.#last.sequence);
    }
    if (this.#openBreak !== null) {
      throw new BrokenChain(
        `entry ${this.#openBreak} records that the log did not end where its head said; once you know why, run keyward audit repair`,
      );
    }
    return this.#breaks.map((sequence) => `entry ${sequence} records a repaired break`);
  }

  #noteBreak(sequence: number, { action }: Claims): void {
    if (action === 'audit.repaired') this.#openBreak = null;
    if (action !== 'audit.break') return;
    this.#breaks.push(sequence);
    this.#openBreak = sequence;
  }

  #requireNext(sequence: number): void {
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

  /** Once keyed, always keyed: otherwise anyone could continue a log, or rewrite it, unkeyed. */
  #requireKeyed({ sequence, pepperId }: ChainRow): void {
    if (pepperId !== null || this.#lastPepperId === null || this.#options.allowUnkeyed) return;
    throw unkeyed(sequence);
  }

  #pepperOf({ sequence, pepperId }: ChainRow): Pepper | null {
    if (pepperId === null) return null;
    const pepper = this.#options.peppers.get(pepperId);
    if (pepper) return pepper;
    throw new BrokenChain(
      `entry ${sequence} cannot be checked without the KEYWARD_SECRET whose id is ${pepperId}`,
    );
  }

  #requireExpected({ sequence, hash }: ChainRow): void {
    const isOther = (expected: Head) => expected.sequence === sequence && expected.hash !== hash;
    if (this.#options.expected.some(isOther)) throw rewritten(sequence);
  }

  #requireStoredHead(head: Head): void {
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

  /** Compares an expected link that is outside of the entries: after them, or pruned. */
  #compareOutside(expected: Head): string[] {
    const start = this.#options.checkpoint ?? FIRST_HEAD;
    if (expected.sequence > this.#last.sequence) {
      throw new BrokenChain(
        `the tail was cut: the log ends at ${this.#last.sequence}, the expected head is ${expected.sequence}`,
      );
    }
    if (expected.sequence === start.sequence && expected.hash !== start.hash) {
      throw rewritten(expected.sequence);
    }
    if (expected.sequence >= start.sequence) return [];
    return [`the expected head ${expected.sequence} was pruned, up to ${start.sequence}`];
  }
}

function parse({ sequence, payload }: ChainRow): Claims {
  const value = parseJson(payload);
  if (typeof value === 'object' && value !== null) return value;
  throw new BrokenChain(`entry ${sequence} was changed: it is not a JSON object`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function requireUnmoved({ workspaceId, sequence }: ChainRow, claims: Claims): void {
  if (claims.workspaceId === workspaceId && claims.sequence === sequence) return;
  throw new BrokenChain(
    `entry ${sequence} holds what was written as ${claims.sequence} of ${claims.workspaceId}: entries were moved`,
  );
}

function recordsCut({ action, after }: Claims, cut: Head | null): boolean {
  return (
    action === 'audit.pruned' && after?.sequence === cut?.sequence && after?.hash === cut?.hash
  );
}

function rewritten(sequence: number): BrokenChain {
  return new BrokenChain(`entry ${sequence} is not the expected head: the log was rewritten`);
}

function unkeyed(sequence: number): BrokenChain {
  return new BrokenChain(
    `entry ${sequence} is not keyed, so anyone who can write to the database can have made it; pass --allow-unkeyed if Keyward ran without KEYWARD_SECRET`,
  );
}
