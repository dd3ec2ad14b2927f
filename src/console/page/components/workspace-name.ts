import { html } from 'htm/preact';
import { isEvery, workspaceId } from '../workspace.ts';

/** Whose things a page shows. */
export function WorkspaceName() {
  return isEvery.value ? html`<b>Every workspace</b>` : html`Workspace <b>${workspaceId.value}</b>`;
}
