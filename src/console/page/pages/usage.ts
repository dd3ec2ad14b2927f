import { html } from 'htm/preact';

export function UsagePage(_props: { id: string }) {
  return html`<h1>Usage</h1>`;
}
