import { html } from 'htm/preact';
import { OneTimeSecret } from './one-time-secret.ts';

const FORMS = [
  ['Key', (key: string) => key],
  ['.env', (key: string) => `API_KEY=${key}`],
  ['curl', (key: string) => `curl https://api.example.com/ -H 'Authorization: Bearer ${key}'`],
] as const;

/** The one time that a key is shown. */
export function OneTimeKey({ value, onClose }: { value: string; onClose: () => void }) {
  return html`
    <${OneTimeSecret} value=${value} onClose=${onClose} what="key" kept="Keyward keeps only a hash of it." forms=${FORMS} />
  `;
}
