/** Writes a line to stdout. Resolves once it has left the process; rejects when it has not in time. */
export type WriteLine = (line: string, late: AbortSignal) => Promise<void>;

/** An entry as a line: its text as it is stored, so that the chain can be checked with the lines alone. */
export function auditLine(payload: string, hash: string): string {
  return `{"event":"audit.entry","hash":${JSON.stringify(hash)},"entry":${payload}}\n`;
}

export const writeToStdout: WriteLine = (line) => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.stdout.write(line, (error) => (error ? reject(error) : resolve()));
  return promise;
};
