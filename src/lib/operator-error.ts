/** A failure that the operator can put right. The message says how, in one sentence. */
export class OperatorError extends Error {
  override name = 'OperatorError';
}
