import { html } from 'htm/preact';

export function WorkspacesPage(_props: { id: string }) {
  return html`<h1>Workspaces</h1>`;
}
