import { html } from 'htm/preact';

export function ManagementKeysPage(_props: { id: string }) {
  return html`<h1>ManagementKeys</h1>`;
}
