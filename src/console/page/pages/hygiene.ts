import { html } from 'htm/preact';

export function HygienePage(_props: { id: string }) {
  return html`<h1>Hygiene</h1>`;
}
