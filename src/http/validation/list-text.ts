import { KeywardError } from '../../errors.ts';

/** Long enough that most lists are a handful of groups, short enough to be parsed in a moment. */
const GROUP_LENGTH = 16_384;
/** The longest item, as long as the body of a call about one thing. */
export const MAX_ITEM_LENGTH = 65_536;

/**
 * A long JSON text in parts that are parsed one by one: the elements of the lists that are fields of
 * its object, in groups, and the rest, in which the index of each group stands for its elements.
 */
export interface CutText {
  rest: string;
  groups: string[];
}

/** Cuts a text in one pass. What is not valid JSON leaves a part that is not. */
export function cutLists(text: string): CutText {
  return new ListCutter(text).cut();
}

class ListCutter {
  readonly #text: string;
  readonly #groups: string[] = [];
  readonly #isObject: boolean;
  #rest = '';
  #restFrom = 0;
  #inList = false;
  #isFirstGroup = true;
  #groupFrom = 0;
  #itemFrom = 0;

  constructor(text: string) {
    this.#text = text;
    this.#isObject = /^\s*\{/.test(text);
  }

  cut(): CutText {
    let depth = 0;
    for (let at = 0; at < this.#text.length; at++) {
      switch (this.#text[at]) {
        case '"':
          at = endOfString(this.#text, at);
          break;
        case '[':
          if (++depth === 2 && this.#isObject) this.#openList(at);
          break;
        case '{':
          depth++;
          break;
        case ']':
        case '}':
          if (depth-- === 2 && this.#inList) this.#closeList(at);
          break;
        case ',':
          if (depth === 2 && this.#inList) this.#endItem(at);
          break;
      }
    }
    if (!this.#inList) this.#addRest(this.#text.length);
    return { rest: this.#rest, groups: this.#groups };
  }

  #addRest(end: number): void {
    this.#rest += this.#text.slice(this.#restFrom, end);
    if (this.#rest.length <= MAX_ITEM_LENGTH) return;
    const detail = `The body is larger than ${MAX_ITEM_LENGTH} characters without the items of its list.`;
    throw new KeywardError('BODY_TOO_LARGE', detail);
  }

  #openList(at: number): void {
    this.#addRest(at + 1);
    this.#inList = true;
    this.#isFirstGroup = true;
    this.#groupFrom = at + 1;
    this.#itemFrom = at + 1;
  }

  #closeList(at: number): void {
    const isEmpty = this.#text.slice(this.#itemFrom, at).trim() === '';
    if (!(isEmpty && this.#isFirstGroup && this.#groupFrom === this.#itemFrom)) {
      this.#endItem(at);
      if (this.#groupFrom <= at) this.#addGroup(at);
    }
    this.#inList = false;
    this.#restFrom = at;
  }

  /** An item that is too long gets a group of its own. */
  #endItem(end: number): void {
    if (end - this.#groupFrom > MAX_ITEM_LENGTH && this.#itemFrom > this.#groupFrom) {
      this.#addGroup(this.#itemFrom - 1);
    }
    if (end - this.#groupFrom >= GROUP_LENGTH) this.#addGroup(end);
    this.#itemFrom = end + 1;
  }

  #addGroup(end: number): void {
    this.#rest += `${this.#isFirstGroup ? '' : ','}${this.#groups.length}`;
    this.#isFirstGroup = false;
    this.#groups.push(this.#text.slice(this.#groupFrom, end));
    this.#groupFrom = end + 1;
  }
}

/** Where the string that begins at a quote ends. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const end = text.indexOf('"', at);
    if (end === -1) return text.length;
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
    at = end;
  }
}
