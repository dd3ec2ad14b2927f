/** The entity tags of `If-Match` (RFC 9110): a list, or `*`. A weak tag never matches strongly, so it is kept as it is. */
export function parseEntityTags(header: string | undefined): string[] | null {
  return header === undefined ? null : header.split(',').map((tag) => tag.trim());
}
