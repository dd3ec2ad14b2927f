import { html } from 'htm/preact';

export function AuditPage(_props: { id: string }) {
  return html`<h1>Audit</h1>`;
}
