import { isIpAddress, parseIpRange } from '../../domain/ip.ts';

interface Format {
  accepts: (text: string) => boolean;
  /** Completes "FIELD …" in an error. */
  rule: string;
}

/** The string formats of our schemas. */
export const FORMATS: Readonly<Record<string, Format>> = {
  text: {
    accepts: isStorableText,
    rule:
      'must be text that is not blank, without control characters but tab and line feed, ' +
      'bidirectional overrides or unpaired surrogates',
  },
  line: {
    accepts: (text) => isStorableText(text) && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text),
    rule:
      'must be one line of text that is not blank, without control characters, ' +
      'bidirectional overrides or unpaired surrogates',
  },
  'ip-address': {
    accepts: isIpAddress,
    rule: 'must be an IPv4 or IPv6 address such as 203.0.113.7 or 2001:db8::1',
  },
  'ip-range': {
    accepts: (text) => parseIpRange(text) !== null,
    rule: 'must be an IP address or a CIDR range such as 203.0.113.0/24 or 2001:db8::/32',
  },
  'date-time': {
    accepts: isInstant,
    rule: 'must be an RFC 3339 time of an existing day such as 2030-01-31T12:00:00Z',
  },
};

/** Embeddings, overrides and isolates, which make text read as other text. */
const BIDI_CONTROL = /[\u202a-\u202e\u2066-\u2069]/;
/** Anything but spaces, formatting characters and what is drawn as nothing. */
const VISIBLE = /[^\p{Z}\p{C}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Text that Postgres can store and people can read. */
function isStorableText(text: string): boolean {
  if (!text.isWellFormed() || BIDI_CONTROL.test(text)) return false;
  return VISIBLE.test(text) && !/[^\P{Cc}\t\n]/u.test(text);
}

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i;
/** Years from 1970 to 9999 in UTC, which Postgres and Date write alike. */
const LAST_INSTANT = Date.UTC(10_000, 0) - 1;

/** RFC 3339 with an offset, on a day that exists. */
function isInstant(text: string): boolean {
  const match = INSTANT.exec(text);
  const time = Date.parse(text);
  if (!match || !(time >= 0 && time <= LAST_INSTANT)) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
