import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { type Conflict, changedParts, type Part, withPart } from '../conflict.ts';
import { Time } from './time.ts';

interface Props<Form> {
  /** What was changed, such as “this key”. */
  what: string;
  parts: readonly Part<Form>[];
  conflict: Conflict<Form>;
  form: Form;
  set: (form: Form) => void;
}

/** The other change beside what was typed; nothing is saved before the reader has seen it. */
export function ConflictNotice<Form>({ what, parts, conflict, form, set }: Props<Form>) {
  const { was, theirs, at, by } = conflict;
  const notice = useRef<HTMLDivElement>(null);
  // The button that saves is at the other end of the form.
  useEffect(() => notice.current?.focus(), [conflict]);
  const changed = changedParts(parts, was, theirs);
  return html`
    <div class="notice caution" role="alert" tabindex="-1" ref=${notice}>
      <b>${by ?? 'Somebody else'} changed ${what}${at && html` <${Time} at=${at} />`}, while you were typing</b>
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

interface RowProps<Form> {
  part: Part<Form>;
  conflict: Conflict<Form>;
  form: Form;
  set: (form: Form) => void;
}

/** What is in the form can be changed to theirs, and back. */
function Row<Form>({ part, conflict: { was, mine, theirs }, form, set }: RowProps<Form>) {
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
