/** For `datetime-local`, in the reader's zone. */
export function toLocal(iso: string | null): string {
  if (iso === null) return '';
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What is no time that the API knows is sent as it is, to be refused beside its field. */
export function fromLocal(local: string): string | null {
  if (local === '') return null;
  const at = new Date(local);
  return at.getUTCFullYear() <= 9999 ? at.toISOString() : local;
}
