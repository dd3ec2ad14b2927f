/** A resource limit is reached. The caller may try again after a moment. */
export class OverloadError extends Error {
  override name = 'OverloadError';
}
