export {
  type ClientErrorCode,
  type FieldError,
  KeywardError,
  type KeywardErrorCode,
} from './error.ts';
export type { RequireKeyOptions } from './guard.ts';
export { Keyward, type KeywardOptions } from './keyward.ts';
export { dataOf, type ManagementApi, type Schemas } from './management.ts';
export type { InvalidVerdict, ValidVerdict, Verdict, VerifyRequest } from './verdict.ts';
export type { VerifyOptions } from './verifications.ts';
