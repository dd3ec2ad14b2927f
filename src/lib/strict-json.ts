/** The strings of a JSON text; those that name a field have the colon too. */
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g;

/** Parses JSON, but throws a SyntaxError where an object has a name twice: of such values the last would win. */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (typeof value === 'object' && value !== null && countNames(text) !== countFields(value)) {
    throw new SyntaxError('a name is given twice');
  }
  return value;
}

function countNames(text: string): number {
  let names = 0;
  for (const [, colon] of text.matchAll(STRINGS)) if (colon !== undefined) names++;
  return names;
}

/** Does not recurse: a value may be nested deeply. */
function countFields(root: object): number {
  const pending = [root];
  let fields = 0;
  for (let next = pending.pop(); next; next = pending.pop()) {
    const children: unknown[] = Object.values(next);
    if (!Array.isArray(next)) fields += children.length;
    for (const child of children) {
      if (typeof child === 'object' && child !== null) pending.push(child);
    }
  }
  return fields;
}
