import {
  type Ending,
  type Entry,
  isAnswered,
  type Verification,
  type Violation,
} from '../history.ts';
import { checkCounting } from './counting.ts';
import { checkEvents } from './events.ts';
import { checkFreshness } from './freshness.ts';
import { Model } from './model.ts';
import { checkRecords } from './records.ts';
import { checkSpending } from './spending.ts';

/**
 * Finds every promise that the record shows to have been broken. A pure function. The errors are those
 * that calls may meet: a load balancer has more of them than an instance.
 */
export function checkHistory(
  history: readonly Entry[],
  errors: readonly number[] = [503],
): Violation[] {
  const model = new Model(history);
  const verifications = history.filter(
    (entry): entry is Verification => entry.type === 'verify' && isAnswered(entry),
  );
  return [
    ...checkAnswers(history, errors),
    ...checkFreshness(model, verifications),
    ...checkCounting(history),
    ...checkSpending(model, history),
    ...checkRecords(model, history),
    ...checkEvents(history),
  ];
}

const CHANGES_MAY_ANSWER = [200, 201, 204, 404, 409];

/** Finds answers that the documentation does not explain. */
function checkAnswers(history: readonly Entry[], errors: readonly number[]): Violation[] {
  const violations: Violation[] = [];
  for (const entry of history) {
    if (entry.type === 'ending' && isUnexpected(entry, history)) {
      const what = `instance ${entry.instance} ended with ${entry.exitCode}, ${entry.how}`;
      violations.push({ promise: 'answers', what });
    }
    if ((entry.type !== 'verify' && entry.type !== 'change') || entry.status === null) continue;
    const answers =
      entry.type === 'change' ? CHANGES_MAY_ANSWER : [200, ...(entry.as === null ? [] : [401])];
    if ([...answers, ...errors].includes(entry.status)) continue;
    const name = entry.type === 'change' ? entry.op : 'verify';
    violations.push({
      promise: 'answers',
      what: `${name} answered ${entry.status}`,
      call: entry.id,
    });
  }
  return violations;
}

/**
 * During an outage of the database a stop may fail to write its counters and a start may fail; both
 * show by the exit code. This is how long after an outage that is excused.
 */
const AFTERMATH_MS = 8000;

function isUnexpected({ how, exitCode, at }: Ending, history: readonly Entry[]): boolean {
  if (how === 'by-itself') return true;
  if (how === 'killed' || exitCode === 0) return false;
  return !history.some((entry) => {
    if (entry.type !== 'fault' || !entry.isOfDatabase) return false;
    return entry.start <= at && entry.end >= at - AFTERMATH_MS;
  });
}
