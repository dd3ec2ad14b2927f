/** Thrown where no answer is to be had, because the database cannot be asked. */
export class UnavailableError extends Error {
  override name = 'UnavailableError';
}
