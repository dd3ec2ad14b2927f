import { html } from 'htm/preact';

export function WorkspacePage(_props: { id: string }) {
  return html`<h1>Workspace</h1>`;
}
