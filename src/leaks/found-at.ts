import type { KeyDetector } from '../http/key-detector.ts';
import type { LeakReport } from './report.ts';

/** Where a string was found; null where the report does not say, or where that would show a key. */
export interface FoundAt {
  url: string | null;
  source: string | null;
}

/** What may be stored shares no more characters in a row with the string than lists show of it. */
const SHARED_CHARACTERS = 16;
const SOURCE = /^[\w .:/-]+$/;
/** A URL may be encoded within a URL. */
const DECODINGS = 3;

/** What a report says of where it was found, without anything of a key. */
export function foundAt({ text, url, source }: LeakReport, detector: KeyDetector): FoundAt {
  const isHarmless = (said: string) => {
    const readings = readingsOf(said);
    return readings?.every((it) => !shares(it, text) && !detector.isContainedIn(it)) ?? false;
  };
  const plain = plainUrl(url);
  return {
    url: plain !== null && isHarmless(plain) ? plain : null,
    source: source !== null && SOURCE.test(source) && isHarmless(source) ? source : null,
  };
}

/** A page of the web, without what logs in to it. */
function plainUrl(text: string | null): string | null {
  const url = text !== null && URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') return null;
  url.username = '';
  url.password = '';
  return url.href;
}

/** The text and what it is decoded to; null if that has no end, or cannot be read. */
function readingsOf(text: string): string[] | null {
  const readings = [text];
  for (let last = text; last.includes('%'); readings.push(last)) {
    if (readings.length > DECODINGS) return null;
    try {
      last = decodeURIComponent(last);
    } catch {
      return null;
    }
  }
  return readings;
}

/** Whatever the case: that of a host name is lost. */
function shares(said: string, text: string): boolean {
  const [among, own] = [said.toLowerCase(), text.toLowerCase()];
  const length = Math.min(SHARED_CHARACTERS, own.length);
  for (let at = 0; at + length <= own.length; at++) {
    if (among.includes(own.slice(at, at + length))) return true;
  }
  return false;
}
