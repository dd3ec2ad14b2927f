import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
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
  /** As it was typed when the other change was found. */
  mine: EditForm;
  at: string;
  by: string | null;
}

export async function conflictOf(
  was: EditForm,
  mine: () => EditForm,
  { key }: ReadKey,
): Promise<Conflict> {
  const { id, workspaceId, updatedAt: at } = key;
  const by = may('audit:read') ? await readTrail(id, workspaceId, 1).catch(() => null) : null;
  const actor = by?.data[0]?.actor;
  return {
    was,
    mine: mine(),
    theirs: formOf(key),
    at,
    by: actor ? (actor.onBehalfOf ?? actor.id) : null,
  };
}

/** What was typed stays; what was not touched follows the key as it is now. */
export function rebase({ was, mine, theirs }: Conflict): EditForm {
  return changedParts(was, mine).reduce((form, part) => withPart(form, part, mine), theirs);
}

interface Props {
  conflict: Conflict;
  form: EditForm;
  set: (form: EditForm) => void;
}

/** The other change beside what was typed; nothing is saved before the reader has seen it. */
export function ConflictNotice({ conflict, form, set }: Props) {
  const { was, theirs, at, by } = conflict;
  const notice = useRef<HTMLDivElement>(null);
  // The button that saves is at the other end of the form.
  useEffect(() => notice.current?.focus(), [conflict]);
  const changed = changedParts(was, theirs);
  return html`
    <div class="notice caution" role="alert" tabindex="-1" ref=${notice}>
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
            <thead><tr><th>Field</th><th>Was</th><th>Now</th><th>You typed</th></tr></thead>
            <tbody>${changed.map((part) => html`<${Row} key=${part.label} part=${part} conflict=${conflict} form=${form} set=${set} />`)}</tbody>
          </table>
        </div>
      `
      }
    </div>
  `;
}

interface RowProps extends Props {
  part: Part;
}

/** What is in the form can be changed to theirs, and back. */
function Row({ part, conflict: { was, mine, theirs }, form, set }: RowProps) {
  const isMine = part.text(form) === part.text(mine);
  const [other, text] = isMine ? [theirs, 'Use theirs'] : [mine, 'Use mine'];
  const wasTouched = part.text(mine) !== part.text(was) && part.text(mine) !== part.text(theirs);
  return html`
    <tr>
      <th scope="row">${part.label}</th>
      <td data-label="Was">${part.text(was) || 'none'}</td>
      <td data-label="Now">${part.text(theirs) || 'none'}</td>
      <td data-label="You typed">
        ${wasTouched ? part.text(mine) || 'none' : 'nothing'}
        ${wasTouched && html` <button type="button" class="link" onClick=${() => set(withPart(form, part, other))}>${text}</button>`}
      </td>
    </tr>
  `;
}
