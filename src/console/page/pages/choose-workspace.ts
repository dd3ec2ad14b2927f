import { html } from 'htm/preact';
import { Empty } from '../components/states.ts';

/** In place of what makes something, which is always of one workspace. */
export function ChooseWorkspace() {
  return html`
    <div class="card">
      <${Empty} title="Choose a workspace">
        <p>Every key belongs to one: name it in the field at the top left.</p>
      <//>
    </div>
  `;
}
