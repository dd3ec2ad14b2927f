import type { Verification, Violation } from '../history.ts';
import type { Model, ModelKey, StringState } from './model.ts';
import type { Register } from './register.ts';

/** How far two clocks of one machine may be apart, with the rounding to milliseconds. */
const CLOCK_TOLERANCE_MS = 25;

/** Whether a check of a verdict fails; `maybe` if the record does not tell. */
type Outcome = 'yes' | 'no' | 'maybe';

/**
 * P1: no VALID because of something that an acknowledged change had taken away before the
 * verification, and no denial without an explanation.
 */
export function checkFreshness(model: Model, verifications: readonly Verification[]): Violation[] {
  return verifications.flatMap((call) => {
    const wrong = wrongCaller(model, call) ?? wrongVerdict(model, call);
    return wrong === null ? [] : [{ promise: 'P1' as const, what: wrong, call: call.id }];
  });
}

function wrongCaller(model: Model, call: Verification): string | null {
  const caller = call.as === null ? undefined : model.strings.get(call.as);
  if (!caller) return null;
  const gone = isOneOf([stringGone(caller.state, call), happened(caller.key.revoked, call)]);
  if (call.status === 401 && gone === 'no') return 'a management key in force was refused';
  if (call.status === 200 && gone === 'yes') return 'a management key that had ended was accepted';
  return null;
}

function wrongVerdict(model: Model, call: Verification): string | null {
  if (call.status !== 200 || call.code === null) return null;
  const possible = possibleCodes(model, call);
  if (!possible || possible.has(call.code)) return null;
  return `said ${call.code} although only ${[...possible].join(' or ')} can be true`;
}

/** Null if the record has nothing about the string. */
function possibleCodes(model: Model, call: Verification): Set<string> | null {
  if (call.forged) return new Set(['NOT_FOUND']);
  const string = model.strings.get(call.ref);
  if (!string) return null;
  const { key, state } = string;
  const checks: [string, Outcome][] = [
    ['NOT_FOUND', isOneOf([stringGone(state, call), happened(key.deleted, call)])],
    ['REVOKED', happened(key.revoked, call)],
    ['WORKSPACE_SUSPENDED', happened(model.suspension(key.workspaceId), call)],
    ['DISABLED', over(key.enabled, call, (enabled) => !enabled)],
    ['EXPIRED', expired(key, call)],
    ['IP_NOT_ALLOWED', over(key.allowedIps, call, (ips) => denies(ips, call.requested.ip))],
    [
      'INSUFFICIENT_SCOPE',
      over(key.scopes, call, (scopes) => deniesRequested(scopes, call.requested.scope)),
    ],
    [
      'RESOURCE_NOT_ALLOWED',
      over(key.resources, call, (r) => deniesRequested(r, call.requested.resource)),
    ],
  ];
  return firstFailures(key, checks, call);
}

function firstFailures(key: ModelKey, checks: [string, Outcome][], call: Verification) {
  const possible = new Set<string>();
  for (const [code, fails] of checks) {
    if (fails !== 'no') possible.add(code);
    if (fails === 'yes') return possible;
  }
  possible.add('VALID');
  const limits = key.limit.possible(call.start, call.end);
  if (limits.some((limit) => limit !== null)) possible.add('RATE_LIMITED');
  if (key.made.changed.credits !== undefined) possible.add('CREDITS_EXHAUSTED');
  return possible;
}

function over<T>(register: Register<T>, call: Verification, fails: (value: T) => boolean): Outcome {
  const outcomes = new Set(register.possible(call.start, call.end).map(fails));
  if (outcomes.size === 2) return 'maybe';
  return outcomes.has(true) ? 'yes' : 'no';
}

function happened(register: Register<boolean>, call: Verification): Outcome {
  return over(register, call, (value) => value);
}

function stringGone(register: Register<StringState>, call: Verification): Outcome {
  const outcomes = register.possible(call.start, call.end).map((state) => {
    if (state.is === 'retiring') return passed(state.until, call);
    return state.is === 'retired' ? 'yes' : 'no';
  });
  return unanimous(outcomes);
}

function expired(key: ModelKey, call: Verification): Outcome {
  const outcomes = key.expiresAt
    .possible(call.start, call.end)
    .map((at) => (at === null ? 'no' : passed([at, at], call)));
  return unanimous(outcomes);
}

function passed([least, most]: readonly [number, number], call: Verification): Outcome {
  if (most + CLOCK_TOLERANCE_MS < call.wall) return 'yes';
  return least - CLOCK_TOLERANCE_MS > call.wall + call.end - call.start ? 'no' : 'maybe';
}

function unanimous(outcomes: readonly Outcome[]): Outcome {
  const [first = 'maybe'] = outcomes;
  return outcomes.every((outcome) => outcome === first) ? first : 'maybe';
}

function isOneOf(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes('yes')) return 'yes';
  return outcomes.includes('maybe') ? 'maybe' : 'no';
}

/** Null grants everything; a list requires that one of its values is requested. */
function denies(granted: readonly string[] | null, asked: string | undefined): boolean {
  return granted !== null && (asked === undefined || !granted.includes(asked));
}

/** As above, but nothing has to be requested. */
function deniesRequested(granted: readonly string[] | null, asked: string | undefined): boolean {
  return asked !== undefined && denies(granted, asked);
}
