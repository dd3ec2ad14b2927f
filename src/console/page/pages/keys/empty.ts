import { html } from 'htm/preact';
import { Empty } from '../../components/states.ts';
import { hrefOf } from '../../router.ts';
import { may } from '../../session.ts';
import { isEvery, workspaceId } from '../../workspace.ts';
import type { View } from './views.ts';

export function NoKeys({ isFiltered, view }: { isFiltered: boolean; view: View }) {
  if (isFiltered) {
    return html`<${Empty} title="No key matches"><p>Change the filters, or look in “All”.</p><//>`;
  }
  if (view !== 'active') return html`<${Empty} title="Nothing here" />`;
  return html`
    <${Empty} title="No active keys">
      <p>Create one here, or by the API:</p>
      <pre>curl ${location.origin}/v1/keys \\
  -H "Authorization: Bearer $MANAGEMENT_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"name": "my first key"}'</pre>
      ${may('keys:write') && !isEvery.value && html`<a class="button primary" href=${hrefOf('/keys/new', { workspaceId: workspaceId.value })}>Create key</a>`}
    <//>
  `;
}
