/** How a report came in: from anyone, or signed by GitHub. */
export type Entrance = 'anyone' | 'github';

/** A string that someone says has leaked. Nothing of it is stored. */
export interface LeakReport {
  entrance: Entrance;
  text: string;
  /** Where it was found, as the report says. */
  url: string | null;
  source: string | null;
}

/** The longest string that can be a key. */
const MAX_TEXT = 512;
const MAX_URL = 2000;
const MAX_SOURCE = 64;

/** The reports in a body of `POST /v1/leaks`; what is none is passed over. */
export function reportsOfAnyone(body: unknown): LeakReport[] {
  return reportsIn(Reflect.get(Object(body), 'keys'), 'key', 'anyone', 100);
}

/** The reports in a body that GitHub signed. */
export function reportsOfGithub(body: unknown): LeakReport[] {
  return reportsIn(body, 'token', 'github', 1000);
}

function reportsIn(list: unknown, field: string, entrance: Entrance, max: number): LeakReport[] {
  if (!Array.isArray(list)) return [];
  return list.slice(0, max).flatMap((item) => {
    const read = (name: string, maxLength: number) => textOf(item, name, maxLength);
    const text = read(field, MAX_TEXT);
    if (text === null) return [];
    return [{ entrance, text, url: read('url', MAX_URL), source: read('source', MAX_SOURCE) }];
  });
}

function textOf(item: unknown, name: string, maxLength: number): string | null {
  const value: unknown = Reflect.get(Object(item), name);
  if (typeof value !== 'string' || value.length === 0 || value.length > maxLength) return null;
  return value.isWellFormed() ? value : null;
}
