/** There is no answer, because the database is unavailable. */
export class UnavailableError extends Error {
  override name = 'UnavailableError';
}
