import { signal } from '@preact/signals';
import { html } from 'htm/preact';

const SHOWN_MS = 5000;
const message = signal('');
let timer: number | undefined;

/** Tells what has happened, to those who see and to those who listen. Never contains a key. */
export function announce(text: string): void {
  clearTimeout(timer);
  message.value = text;
  timer = setTimeout(() => {
    message.value = '';
  }, SHOWN_MS);
}

export function Announcements() {
  return html`<div class="toast" role="status" aria-live="polite">${message}</div>`;
}
