import { KeywardError } from './error.ts';
import { notKeyward } from './exchange.ts';
import { isObject } from './json.ts';
import type { components } from './openapi.ts';

type Schemas = components['schemas'];
type VerifyAnswer = Schemas['VerifyAnswer'];
type BatchResult = Schemas['VerifyBatchResult'];

export type VerifyRequest = Schemas['VerifyRequest'];

/** The request may go on. */
export interface ValidVerdict extends VerifyAnswer {
  valid: true;
  code: 'VALID';
  keyId: string;
  workspaceId: string;
  name: string;
  scopes: string[];
}

/** The request must be refused: also with a code that this version does not know. */
export interface InvalidVerdict extends Omit<VerifyAnswer, 'code'> {
  valid: false;
  code: Exclude<Schemas['VerdictCode'], 'VALID'> | (string & {});
}

export type Verdict = ValidVerdict | InvalidVerdict;

/** Throws if it is none. Only what is valid in every respect is valid. */
export function readVerdict(value: unknown): Verdict {
  if (!isAnswer(value)) throw notKeyward(200);
  return isValid(value) ? value : { ...value, valid: false };
}

/** The codes of items that have no verdict, and the statuses of the same problems. */
const ITEM_PROBLEMS: ReadonlyMap<string, number> = new Map([
  ['INVALID_REQUEST', 400],
  ['KEY_WITH_SCHEME', 400],
  ['UNAVAILABLE', 503],
]);

/** One item's result, with the same errors as if it had been asked alone. */
export function readResult(value: unknown): Verdict | KeywardError {
  if (!isResult(value)) return notKeyward(200);
  const { errors, ...answer } = value;
  const status = ITEM_PROBLEMS.get(answer.code);
  if (status === undefined) return readVerdict(answer);
  return new KeywardError({
    ...{ code: answer.code, status, requestId: answer.requestId },
    detail: status === 503 ? 'Keyward could not decide this verification' : shown(errors),
    errors: errors.map(({ pointer, detail }) => ({ pointer: `/body${pointer}`, detail })),
    retryAfterSeconds: status === 503 ? 1 : null,
  });
}

function shown([first]: BatchResult['errors']): string {
  return first ? `/body${first.pointer}: ${first.detail}` : 'the verification is not valid';
}

function isAnswer(value: unknown): value is VerifyAnswer {
  return isObject(value) && typeof value.valid === 'boolean' && typeof value.code === 'string';
}

function isResult(value: unknown): value is BatchResult {
  return isAnswer(value) && 'errors' in value && Array.isArray(value.errors);
}

function isValid(answer: VerifyAnswer): answer is ValidVerdict {
  const { valid, code, keyId, workspaceId, name, scopes } = answer;
  if (!valid || code !== 'VALID' || !Array.isArray(scopes)) return false;
  return [keyId, workspaceId, name].every((field) => typeof field === 'string');
}
