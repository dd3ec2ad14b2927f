/** A misspelt name could leave a route open: it is refused when the program starts. */
export function requireKnown(options: object, known: readonly string[]): void {
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`there is no option ${name}; there are ${known.join(', ')}`);
    }
    // Such as one of a constant whose name is misspelt.
    if (value === undefined) throw new TypeError(`${name} is undefined: leave it out, or give it`);
  }
}
