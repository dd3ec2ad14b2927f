import { html } from 'htm/preact';
import type { ApiError } from '../api.ts';
import type { Part } from '../conflict.ts';
import { faultyFields } from '../faults.ts';
import { plural } from '../format.ts';
import { Failure } from './states.ts';

interface Props<Form> {
  changed: readonly Part<Form>[];
  error: ApiError | null;
  isBusy: boolean;
  /** It ended meanwhile, so that nothing can be saved. */
  hasEnded: boolean;
  hasConflict: boolean;
  onClose: () => void;
}

/** The end of a form that edits: what would be saved, why it was not, and the buttons. */
export function SaveBar<Form>(props: Props<Form>) {
  const { changed, error, isBusy, hasEnded, hasConflict, onClose } = props;
  const faults = faultyFields(error);
  const labels = changed.map(({ label }) => label.toLowerCase()).join(', ');
  return html`
    <div class="actions sticky">
      ${error && faults === 0 && html`<${Failure} error=${error} />`}
      ${faults > 0 && html`<p class="notice bad" role="alert">Nothing was changed: ${plural(faults, 'field')} to correct.</p>`}
      <span class="soft grow">${changed.length === 0 ? 'Nothing changed yet' : `Changes: ${labels}`}</span>
      <button type="button" onClick=${onClose}>Cancel</button>
      <button class="primary" disabled=${isBusy || hasEnded || changed.length === 0}>
        ${isBusy ? 'Saving…' : hasConflict ? 'Save again' : 'Save'}
      </button>
    </div>
  `;
}
