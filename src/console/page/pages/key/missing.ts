import { html } from 'htm/preact';
import { hrefOf } from '../../router.ts';
import { may } from '../../session.ts';
import { isUnbound, workspaceId } from '../../workspace.ts';
import { Trail } from './trail.ts';

/** No such key. Of one that was deleted, the audit log still tells. */
export function MissingKey({ id }: { id: string }) {
  const inWorkspace = isUnbound.value ? '*' : workspaceId.value;
  const isId = /^key_[0-9A-Za-z]{22}$/.test(id);
  return html`
    <div class="stack">
      <div class="card empty">
        <h1>No such key</h1>
        <p><code>${id}</code></p>
        <p>${
          isId
            ? 'It was deleted, or it belongs to a workspace that the signed-in key may not read.'
            : 'This is no id of a key: ids begin with key_ and are 26 characters long.'
        }</p>
        <a class="button" href=${hrefOf('/keys', { workspaceId: workspaceId.value })}>To the keys</a>
      </div>
      ${isId && may('audit:read') && html`<${Trail} id=${id} workspaceId=${inWorkspace} version="" />`}
    </div>
  `;
}
