/**
 * What is stored of a key or a workspace, as JSON. Below the limit of a body, so that what was read
 * can be sent; however small the changes are by which it grew.
 */
export const MAX_STORED_BYTES = 57_344;

export function isTooLarge(stored: object): boolean {
  return Buffer.byteLength(JSON.stringify(stored)) > MAX_STORED_BYTES;
}
