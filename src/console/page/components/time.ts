import { html } from 'htm/preact';
import { formatDate, formatRelative, formatTime, formatUtc } from '../format.ts';

interface TimeProps {
  at: string | null | undefined;
  /** Instead of a time that is not there. */
  none?: string;
  as?: 'relative' | 'date' | 'time';
}

/** A time in the reader's zone, with UTC on hover. */
export function Time({ at, none = 'never', as = 'relative' }: TimeProps) {
  if (!at) return html`<span class="soft">${none}</span>`;
  const text = { relative: formatRelative, date: formatDate, time: formatTime }[as](at);
  return html`<time datetime=${at} title="${formatTime(at)} · ${formatUtc(at)}">${text}</time>`;
}
