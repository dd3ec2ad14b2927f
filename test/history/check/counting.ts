import {
  type Ending,
  type Entry,
  type Flush,
  isAnswered,
  type Verification,
  type Violation,
} from '../history.ts';

/**
 * P3: what was counted is between what was answered and what was sent. Only a process that did not
 * end cleanly may lose counts, and only those of answers after the second last committed flush: the
 * last committed batch was frozen after that flush, and contains all earlier answers. (Of more than 700
 * counters a flush makes several batches; a run of the checker has fewer.)
 */
export function checkCounting(history: readonly Entry[]): Violation[] {
  const counted = countsOf(history);
  const tallies = tallyByRef(history);
  const violations: Violation[] = [];
  for (const [ref, tally] of tallies) {
    let surplus = 0;
    const codes = new Set([...tally.answered.keys(), ...codesOf(counted, ref)]);
    for (const code of codes) {
      const answered = tally.answered.get(code) ?? 0;
      const count = counted.get(`${ref} ${code}`) ?? 0;
      const lost = answered - count;
      surplus += Math.max(0, -lost);
      const losable = tally.losable.get(code) ?? 0;
      if (lost <= losable) continue;
      const what = `${ref} ${code}: ${answered} answered, ${count} counted, at most ${losable} may be lost`;
      violations.push({ promise: 'P3', what });
    }
    if (surplus <= tally.unknown) continue;
    const what = `${ref}: ${surplus} counted too often, only ${tally.unknown} calls were not answered`;
    violations.push({ promise: 'P3', what });
  }
  return violations;
}

interface Tally {
  answered: Map<string, number>;
  losable: Map<string, number>;
  unknown: number;
}

function tallyByRef(history: readonly Entry[]): Map<string, Tally> {
  const losses = lossWindows(history);
  const tallies = new Map<string, Tally>();
  const tallyOf = (ref: string) => {
    let tally = tallies.get(ref);
    if (!tally) {
      tally = { answered: new Map(), losable: new Map(), unknown: 0 };
      tallies.set(ref, tally);
    }
    return tally;
  };
  for (const call of history) {
    if (call.type !== 'verify') continue;
    const isLosable = mayBeLost(call, losses);
    for (const [ref, code] of countedAs(call)) {
      const tally = tallyOf(ref);
      if (!isAnswered(call)) tally.unknown++;
      else if (code !== null) {
        add(tally.answered, code);
        if (isLosable) add(tally.losable, code);
      }
    }
  }
  return tallies;
}

/** The presented key with its verdict, and the management key of the caller. */
function countedAs(call: Verification): [string, string | null][] {
  const own: [string, string | null][] = call.forged ? [] : [[call.ref, call.code]];
  if (call.as === null) return own;
  return [...own, [call.as, call.status === 200 ? 'VALID' : null]];
}

interface LossWindow {
  instance: number;
  from: number;
  to: number;
}

export function lossWindows(history: readonly Entry[]): LossWindow[] {
  const flushes = history.filter((entry): entry is Flush => entry.type === 'flush');
  const unclean = history.filter(
    (entry): entry is Ending => entry.type === 'ending' && entry.exitCode !== 0,
  );
  return unclean.map(({ instance, born, at }) => {
    const own = flushes.filter((f) => f.instance === instance && f.at > born && f.at <= at);
    const last = Math.max(0, ...own.map(({ sequence }) => sequence));
    const before = own.find(({ sequence }) => sequence === last - 1);
    return { instance, from: before?.at ?? born, to: at };
  });
}

function mayBeLost(call: Verification, losses: readonly LossWindow[]): boolean {
  return losses.some(
    ({ instance, from, to }) => instance === call.instance && call.end >= from && call.start <= to,
  );
}

function countsOf(history: readonly Entry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of history) {
    if (entry.type === 'count') add(counts, `${entry.ref} ${entry.code}`, entry.count);
  }
  return counts;
}

function codesOf(counts: ReadonlyMap<string, number>, ref: string): string[] {
  return [...counts.keys()]
    .filter((name) => name.startsWith(`${ref} `))
    .map((name) => name.slice(ref.length + 1));
}

function add(counts: Map<string, number>, name: string, count = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}
