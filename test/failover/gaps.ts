import type { ChangeCall, Entry, Verification, Violation } from '../history/history.ts';

/** What a load balancer may say where it has no answer, and an instance that cannot know. */
export const ERRORS = [502, 503];
/** For so long after an event, errors are its consequence. */
const AFTERMATH_MS = 2500;

type Call = Verification | ChangeCall;
type Event = Extract<Entry, { type: 'fault' }>;

/** What callers noticed of an event. */
export interface Gap {
  kind: string;
  seconds: number;
  /** Calls that ran during the event or right after it, and those of them with an error, by status. */
  calls: number;
  errors: Map<number, number>;
  /** From the start of the event to the end of the last call with an error. */
  errorsForMs: number;
  /** The longest time in which no verification was answered. */
  silentMs: number;
}

export function gapsOf(history: readonly Entry[]): Gap[] {
  return eventsOf(history).map((event) => {
    const calls = callsOf(history).filter((call) => isNear(call, event));
    const failed = calls.filter(hasFailed);
    const last = Math.max(event.start, ...failed.map(({ end }) => end));
    return {
      kind: event.kind,
      seconds: (event.end - event.start) / 1000,
      calls: calls.length,
      errors: countBy(failed.map(({ status }) => status ?? 0)),
      errorsForMs: last - event.start,
      silentMs: longestSilence(calls),
    };
  });
}

/** Errors of other kinds, and errors while nothing happened. */
export function unexplainedErrors(history: readonly Entry[]): Violation[] {
  const events = eventsOf(history);
  return callsOf(history)
    .filter(hasFailed)
    .flatMap((call) => {
      const isOfKind = call.status !== null && ERRORS.includes(call.status);
      if (isOfKind && events.some((event) => isNear(call, event))) return [];
      const what = `${call.type} got ${call.status ?? 'no answer'}${isOfKind ? ' while nothing happened' : ''}`;
      return [{ promise: 'answers' as const, what, call: call.id }];
    });
}

function eventsOf(history: readonly Entry[]): Event[] {
  return history.filter((entry) => entry.type === 'fault');
}

function callsOf(history: readonly Entry[]): Call[] {
  return history.filter((entry) => entry.type === 'verify' || entry.type === 'change');
}

function hasFailed({ status }: Call): boolean {
  return status === null || status >= 500;
}

function isNear(call: Call, event: Event): boolean {
  return call.end >= event.start && call.start <= event.end + AFTERMATH_MS;
}

function longestSilence(calls: readonly Call[]): number {
  const answered = calls.filter(({ type, status }) => type === 'verify' && status === 200);
  const ends = answered.map(({ end }) => end).sort((a, b) => a - b);
  return Math.max(0, ...ends.slice(1).map((end, place) => end - (ends[place] ?? end)));
}

function countBy(values: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
