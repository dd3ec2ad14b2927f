import {
  type AuditEntry,
  type ChangeCall,
  type ChangedFields,
  type Entry,
  OPERATIONS,
  type Operation,
  type Verification,
} from './history.ts';

export const KEY = 'key_a';
export const REF = 'ref_a';
const WALL = Date.UTC(2026, 0, 31);

/** Deviations from an answered change of the key by the root key: `status: null` for no answer. */
type ChangeOptions = Partial<ChangeCall> & {
  /** False if it has no audit entry. */
  recorded?: boolean;
  balance?: [before: number, after: number];
};

/** Builds histories for tests of the checker. */
export class HistoryBuilder {
  readonly entries: Entry[] = [];
  #sequence = 0;
  #calls = 0;

  /** Begins with a key that is created from 0 to 1, and its first string. */
  static withKey(changed: ChangedFields = {}): HistoryBuilder {
    const history = new HistoryBuilder();
    const made = { scopes: ['read'], ...changed };
    return history.change('create', 0, 1, { changed: made, newRef: REF });
  }

  change(op: Operation, start: number, end: number, options: ChangeOptions = {}): this {
    const { recorded = true, balance, ...fields } = options;
    const call: ChangeCall = {
      type: 'change',
      id: `c${this.#calls++}`,
      op,
      instance: 0,
      start,
      end,
      wall: WALL + start,
      status: 200,
      as: null,
      workspaceId: 'default',
      targets: [KEY],
      changed: {},
      newRef: null,
      ...fields,
    };
    this.entries.push(call);
    if (recorded) for (const target of call.targets) this.audit(call, target, balance);
    return this;
  }

  /** Adds an audit entry, as the call would have written it. */
  audit(
    call: Pick<ChangeCall, 'id' | 'op' | 'start' | 'workspaceId'>,
    targetId: string,
    [creditsBefore, creditsAfter]: [number | null, number | null] = [null, null],
  ): this {
    const entry: AuditEntry = {
      type: 'audit',
      eventId: `evt_${this.#sequence}`,
      isOwn: false,
      workspaceId: call.workspaceId,
      sequence: ++this.#sequence,
      time: WALL + call.start,
      requestId: call.id,
      action: OPERATIONS[call.op],
      targetId,
      creditsBefore,
      creditsAfter,
    };
    this.entries.push(entry);
    return this;
  }

  verify(start: number, end: number, code: string | null, more: Partial<Verification> = {}): this {
    this.entries.push({
      type: 'verify',
      id: `v${this.#calls++}`,
      instance: 0,
      start,
      end,
      wall: WALL + start,
      status: code === null ? null : 200,
      as: null,
      ref: REF,
      forged: false,
      requested: { cost: 1 },
      code,
      ...more,
    });
    return this;
  }

  add(...entries: Entry[]): this {
    this.entries.push(...entries);
    return this;
  }

  /** Adds the expected counters: each answer once, except those given. */
  withCounts(except: Record<string, number> = {}): this {
    const codes = this.entries.flatMap((entry) =>
      entry.type === 'verify' && entry.code && !entry.forged ? [`${entry.ref} ${entry.code}`] : [],
    );
    const counts = new Map(
      [...Map.groupBy(codes, (code) => code)].map(([n, all]) => [n, all.length]),
    );
    for (const [name, count] of Object.entries(except)) counts.set(name, count);
    for (const [name, count] of counts) {
      const [ref = '', code = ''] = name.split(' ');
      this.entries.push({ type: 'count', ref, code, count });
    }
    return this;
  }
}

export function at(start: number): number {
  return WALL + start;
}
