import { html } from 'htm/preact';

export function KeyPage(_props: { id: string }) {
  return html`<h1>Key</h1>`;
}
