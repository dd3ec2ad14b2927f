import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import type { Schemas } from '../../api-types.ts';
import { Time } from '../../components/time.ts';
import { formatNumber, plural } from '../../format.ts';

export type Alert = Schemas['Alert'];
type AlertType = Schemas['AlertType'];
type Tone = 'caution' | 'bad';

/** What an alert says when it opened, by name; a later version may say more, or something else. */
class Details {
  readonly #values: object;

  constructor(values: unknown) {
    this.#values = typeof values === 'object' && values !== null ? values : {};
  }

  text(name: string): string | null {
    const value: unknown = Reflect.get(this.#values, name);
    return typeof value === 'string' ? value : null;
  }

  number(name: string): number {
    const value: unknown = Reflect.get(this.#values, name);
    return typeof value === 'number' ? value : 0;
  }

  time(name: string, as: 'time' | 'date' | 'relative' = 'time') {
    return html`<${Time} at=${this.text(name)} as=${as} none="an unknown time" />`;
  }
}

interface Words {
  title: string;
  tone: Tone;
  sentence: (details: Details) => ComponentChildren;
}

const expiring = (d: Details) =>
  html`It expires on ${d.time('expiresAt')}. Rotating does not move that: set another expiry, or replace it.`;
const expired = (d: Details) =>
  html`It expired on ${d.time('expiresAt')}, and was in use in the month before.`;

const ENDED_BY: Record<string, string> = {
  rotation: 'A string that a rotation has replaced',
  revocation: 'A string that was revoked',
  deletion: 'A string of a deleted key',
};

const RESPONSES: Record<string, string> = {
  revoked: 'It was revoked.',
  rotated: 'Its string ends within an hour: rotate it again for a new one.',
  grace_ended: 'The old string, which was the one that leaked, was ended.',
  grace_shortened: 'The old string, which was the one that leaked, ends within an hour.',
  none: 'The string had ended before.',
};

/** Each type: what it is called, how urgent it is, and what it says. docs/alerts.md has the rules. */
const WORDS: Record<AlertType, Words> = {
  key_expiring: { title: 'Expires soon', tone: 'caution', sentence: expiring },
  key_expired: { title: 'Expired', tone: 'bad', sentence: expired },
  management_key_expiring: { title: 'Expires soon', tone: 'caution', sentence: expiring },
  management_key_expired: { title: 'Expired', tone: 'bad', sentence: expired },
  rotation_due: {
    title: 'Rotation due',
    tone: 'caution',
    sentence: (d) =>
      html`Its string is from ${d.time('issuedAt', 'date')}, more than ${plural(d.number('rotationDueDays'), 'day')} ago. Rotate it with a grace period.`,
  },
  key_unused: {
    title: 'Unused',
    tone: 'caution',
    sentence: (d) => html`
      ${d.text('lastUsedAt') ? html`Nobody has used it since ${d.time('lastUsedAt', 'date')}` : html`It was never used, and could be since ${d.time('unusedSince', 'date')}`}:
      more than ${plural(d.number('warnAfterDays'), 'day')}.
    `,
  },
  ended_string_used: {
    title: 'Ended string used',
    tone: 'bad',
    sentence: (d) =>
      html`${ENDED_BY[d.text('endedBy') ?? ''] ?? 'A string that has ended'} was still presented on ${d.time('lastPresentedAt')}, and refused.`,
  },
  usage_unusual: {
    title: 'Unusual use',
    tone: 'caution',
    sentence: (d) =>
      html`${plural(d.number('verifications'), 'verification')} in the hour from ${d.time('hour')}; more than ${formatNumber(Math.floor(d.number('unusualAbove')))} is unusual for it.`,
  },
  limited_often: {
    title: 'Limited often',
    tone: 'caution',
    sentence: (d) =>
      html`It reached its rate limit in ${plural(d.number('hours'), 'hour')} of the day before ${d.time('until')}: ${plural(d.number('limited'), 'request')} refused.`,
  },
  credits_low: {
    title: 'Credits low',
    tone: 'caution',
    sentence: (d) =>
      html`It had ${plural(d.number('remaining'), 'credit')} left; up to ${formatNumber(d.number('threshold'))} are few.`,
  },
  credits_exhausted: {
    title: 'Credits exhausted',
    tone: 'bad',
    sentence: () => 'It has no credits left, and is refused.',
  },
  wrong_keys: {
    title: 'Many wrong keys',
    tone: 'bad',
    sentence: (d) =>
      html`${plural(d.number('attempts'), 'attempt')} with strings that match no key, in the hour from ${d.time('hour')}.`,
  },
  key_leaked: {
    title: 'Leaked',
    tone: 'bad',
    sentence: (d) => html`
      Its string was found ${d.text('url') ? html`at <code>${d.text('url')}</code>` : 'in the open'}${d.text('source') && html` (${d.text('source')})`}.${' '}
      ${RESPONSES[d.text('response') ?? ''] ?? ''} Acknowledging ends the alert.
    `,
  },
  webhook_disabled: {
    title: 'Webhook disabled',
    tone: 'bad',
    sentence: (d) =>
      html`Nothing has arrived since ${d.time('failingSince')}, so Keyward sends nothing any more. Enable it once the receiver is well.`,
  },
};

function isKnown(type: string): type is AlertType {
  return Object.hasOwn(WORDS, type);
}

export const ALERT_TYPES = Object.keys(WORDS).filter(isKnown);

export const alertTitle = (type: string) => (isKnown(type) ? WORDS[type].title : type);
export const alertTone = (type: string) => (isKnown(type) ? WORDS[type].tone : 'caution');

/** What has happened, and what there is to do. */
export function AlertSentence({ alert }: { alert: Alert }) {
  const { type, details } = alert;
  return isKnown(type) ? html`<span>${WORDS[type].sentence(new Details(details))}</span>` : null;
}
