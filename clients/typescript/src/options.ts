/** A misspelt name could leave a route open: it is refused when the program starts. */
export function requireKnown(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new TypeError(`there is no option ${unknown}; there are ${known.join(', ')}`);
}
