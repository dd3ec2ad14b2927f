import { networkOf } from './ip.ts';

/** What a caller says of the client that presented a key. */
export interface ClientContext {
  ip?: string | undefined;
  userAgent?: string | undefined;
}

/** What is kept of an address: its network, all of it, or nothing. */
export type KeptIp = 'truncated' | 'full' | 'none';

/** In the order in which they are tried: bots and other browsers name Chrome and Safari too. */
const FAMILIES = [
  ['curl', /^curl\//i],
  ['wget', /^wget\//i],
  ['python-requests', /^python-requests\//i],
  ['httpx', /^python-httpx\//i],
  ['aiohttp', /\baiohttp\//i],
  ['python', /^python\b/i],
  ['Go-http-client', /^go-http-client\//i],
  ['axios', /^axios\//i],
  ['undici', /^undici\b/i],
  ['node', /^node\b/i],
  ['okhttp', /^okhttp\//i],
  ['Apache-HttpClient', /^apache-httpclient\//i],
  ['Java', /^java\b/i],
  ['Guzzle', /^guzzlehttp\//i],
  ['PHP', /^php\b/i],
  ['Ruby', /^(ruby\b|faraday |rest-client\/)/i],
  ['reqwest', /^reqwest\//i],
  ['.NET', /^(\.net|dotnet|restsharp)\b/i],
  ['Postman', /^postmanruntime\//i],
  ['Insomnia', /^insomnia\//i],
  ['bot', /bot\b|crawler|spider/i],
  ['Edge', /\bEdg(e|A|iOS)?\//],
  ['Opera', /\b(OPR|Opera)\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /\b(Headless)?Chrome\/|\bCriOS\//],
  ['Safari', /\bSafari\//],
] as const;
const OTHER = 'other';

export const USER_AGENT_FAMILIES = [...FAMILIES.map(([family]) => family), OTHER];

/** Long enough for the names that tell browsers apart, which come last. */
const MAX_KEPT_LENGTH = 256;

/** A user agent that may be kept for a moment: never as a part of a longer text, which would stay too. */
export function shortUserAgent(text: string | undefined): string | undefined {
  if (text === undefined || text.length <= MAX_KEPT_LENGTH) return text;
  return copyOf(text.slice(0, MAX_KEPT_LENGTH));
}

/** Latin-1 text of its own: what is cut out of a text keeps that whole text in memory. */
export function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/**
 * From where a key was used, as it is stored: network and family of the user agent with a space between,
 * or nothing if neither is known. The client's own text, which may be a key, is no part of it.
 */
export function originOf({ ip, userAgent }: ClientContext, kept: KeptIp): string {
  const network = ip === undefined || kept === 'none' ? '' : networkOf(ip, kept === 'truncated');
  const family = userAgent ? userAgentFamily(userAgent) : '';
  return network || family ? `${network} ${family}` : '';
}

function userAgentFamily(userAgent: string): string {
  const text = userAgent.slice(0, MAX_KEPT_LENGTH);
  return FAMILIES.find(([, pattern]) => pattern.test(text))?.[0] ?? OTHER;
}

export interface LastUsedFrom {
  /** A network or an address. */
  ip: string | null;
  /** A family. */
  userAgent: string | null;
}

/** What is stored with its time in front; null if nothing is known, or it was erased. */
export function parseLastUsedFrom(stored: string | null): LastUsedFrom | null {
  const [, ip, userAgent] = stored?.split(' ') ?? [];
  return ip || userAgent ? { ip: ip || null, userAgent: userAgent || null } : null;
}
