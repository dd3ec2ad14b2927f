/** An entry as a line: its text as it is stored, so that the chain can be checked with the lines alone. */
export function auditLine(payload: string, hash: string): string {
  return `{"event":"audit.entry","hash":${JSON.stringify(hash)},"entry":${payload}}\n`;
}
