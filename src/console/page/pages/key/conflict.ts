import { html } from 'htm/preact';
import { Time } from '../../components/time.ts';
import { may } from '../../session.ts';
import { changedParts, type EditForm, formOf, type Part, withPart } from './edit-form.ts';
import type { ReadKey } from './read.ts';
import { readTrail } from './trail.ts';

/** A change that somebody else has made since the form was opened. */
export interface Conflict {
  /** The form as it was begun, and as the key is now. */
  was: EditForm;
  theirs: EditForm;
  at: string;
  by: string | null;
}

export async function conflictOf(was: EditForm, { key }: ReadKey): Promise<Conflict> {
  const { id, workspaceId, updatedAt: at } = key;
  const by = may('audit:read') ? await readTrail(id, workspaceId, 1).catch(() => null) : null;
  const actor = by?.data[0]?.actor;
  return { was, theirs: formOf(key), at, by: actor ? (actor.onBehalfOf ?? actor.id) : null };
}

/** What was typed stays; what was not touched follows the key as it is now. */
export function rebase(
  { was, theirs }: Pick<Conflict, 'was' | 'theirs'>,
  typed: EditForm,
): EditForm {
  return changedParts(was, typed).reduce((form, part) => withPart(form, part, typed), theirs);
}

interface Props {
  conflict: Conflict;
  form: EditForm;
  set: (form: EditForm) => void;
}

/** The other change beside what was typed; nothing is saved before the reader has seen it. */
export function ConflictNotice({ conflict, form, set }: Props) {
  const { was, theirs, at, by } = conflict;
  const changed = changedParts(was, theirs);
  return html`
    <div class="notice caution" role="alert">
      <b>${by ?? 'Somebody else'} changed this key <${Time} at=${at} />, while you were typing</b>
      <span>${
        changed.length === 0
          ? 'None of these fields was changed. Nothing was saved yet: save again if it is still right.'
          : 'Nothing was saved yet. What you typed is kept; compare, then save again.'
      }</span>
      ${
        changed.length > 0 &&
        html`
        <div class="table-wrap" tabindex="0" role="region" aria-label="The other change">
          <table class="counts conflict">
            <thead><tr><th>Field</th><th>Was</th><th>Now</th><th>In your form</th></tr></thead>
            <tbody>${changed.map((part) => html`<${Row} key=${part.label} part=${part} was=${was} theirs=${theirs} form=${form} set=${set} />`)}</tbody>
          </table>
        </div>
      `
      }
    </div>
  `;
}

interface RowProps {
  part: Part;
  was: EditForm;
  theirs: EditForm;
  form: EditForm;
  set: (form: EditForm) => void;
}

function Row({ part, was, theirs, form, set }: RowProps) {
  const isTheirs = part.text(form) === part.text(theirs);
  return html`
    <tr>
      <th scope="row">${part.label}</th>
      <td>${part.text(was) || 'none'}</td>
      <td>${part.text(theirs) || 'none'}</td>
      <td>
        ${isTheirs ? html`<span class="soft">the same</span>` : part.text(form) || 'none'}
        ${!isTheirs && html` <button type="button" class="link" onClick=${() => set(withPart(form, part, theirs))}>Take theirs</button>`}
      </td>
    </tr>
  `;
}
