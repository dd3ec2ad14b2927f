import { html } from 'htm/preact';
import type { Key } from '../api-types.ts';
import { formatRelative } from '../format.ts';

type Tone = 'good' | 'caution' | 'bad' | 'neutral';

const SOON_MS = 14 * 86_400_000;
/** A shape for each tone, since not everybody tells the colours apart. */
const SHAPES: Record<Tone, string> = {
  good: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1z',
  caution: 'M6 1 11.5 11h-11z',
  bad: 'M2.5 1 6 4.5 9.5 1 11 2.5 7.5 6 11 9.5 9.5 11 6 7.5 2.5 11 1 9.5 4.5 6 1 2.5z',
  neutral: 'M1 5h10v2H1z',
};

export function Pill({ tone, text }: { tone: Tone; text: string }) {
  return html`
    <span class="pill ${tone}">
      <svg viewBox="0 0 12 12" fill="currentColor" aria-hidden="true"><path d=${SHAPES[tone]} /></svg>
      ${text}
    </span>
  `;
}

/** What to know about a key at a glance: its status, or what is about to change it. */
export function KeyStatus({ status, expiresAt, secrets }: Key) {
  const [tone, text] = toneOf(status, expiresAt, secrets);
  return html`<${Pill} tone=${tone} text=${text} />`;
}

function toneOf(status: string, expiresAt: string | null, secrets: Key['secrets']): [Tone, string] {
  if (status === 'revoked') return ['bad', 'Revoked'];
  if (status === 'expired') return ['bad', 'Expired'];
  if (status === 'disabled') return ['neutral', 'Disabled'];
  if (status === 'scheduled') return ['neutral', 'Scheduled'];
  if (status !== 'active') return ['neutral', status];
  if (secrets.some((secret) => secret.status === 'retiring')) return ['caution', 'Rotating'];
  if (expiresAt !== null && Date.parse(expiresAt) - Date.now() < SOON_MS) {
    return ['caution', `Expires ${formatRelative(expiresAt)}`];
  }
  return ['good', 'Active'];
}
