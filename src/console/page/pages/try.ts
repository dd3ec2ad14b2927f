import { html } from 'htm/preact';

export function TryPage(_props: { id: string }) {
  return html`<h1>Try</h1>`;
}
