import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { useAction } from '../../action.ts';
import { ApiError, api, done } from '../../api.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Failure } from '../../components/states.ts';
import { faultyFields } from '../../faults.ts';
import { plural } from '../../format.ts';
import { type Conflict, ConflictNotice, conflictOf, rebase } from './conflict.ts';
import { EditFields } from './edit-fields.ts';
import { changedParts, type EditForm, formOf, metadataFault, patchOf } from './edit-form.ts';
import { type ReadKey, readKey } from './read.ts';

interface Props {
  read: ReadKey;
  onClose: () => void;
  onDone: () => void;
}

/** Changes the state that the form began with, and no other. */
export function EditDialog({ read, onClose, onDone }: Props) {
  const base = useSignal(read);
  const form = useSignal<EditForm>(formOf(read.key));
  const conflict = useSignal<Conflict | null>(null);
  const { error, isBusy, run } = useAction();
  const element = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (error.value) element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [error.value]);
  const { key } = base.value;
  const changed = changedParts(formOf(key), form.value);
  const save = async () => {
    try {
      await patch(base.value, form.value);
    } catch (caught) {
      if (!isOutdated(caught)) throw caught;
      const fresh = await readKey(key.id);
      conflict.value = await conflictOf(formOf(key), () => form.value, fresh);
      form.value = rebase(conflict.value);
      base.value = fresh;
      onDone();
      return;
    }
    announce('The key was changed.');
    onClose();
    onDone();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (metadataFault(form.value.metadata) === null) void run(save);
  };
  const set = (changes: Partial<EditForm>) => {
    form.value = { ...form.value, ...changes };
  };
  const faults = faultyFields(error.value);
  const isRevoked = key.status === 'revoked';
  return html`
    <${Dialog} title="Edit “${read.key.name}”" onClose=${onClose} isWide>
      <form class="stack" ref=${element} onSubmit=${submit}>
        ${!isRevoked && conflict.value && html`<${ConflictNotice} conflict=${conflict.value} form=${form.value} set=${set} />`}
        ${isRevoked && html`<${RevokedNotice} by=${conflict.value?.by} />`}
        <${EditFields} form=${form.value} set=${set} error=${error.value} wereLimited=${key.credits !== null} />
        <div class="actions sticky">
          ${error.value && faults === 0 && html`<${Failure} error=${error.value} />`}
          ${faults > 0 && html`<p class="notice bad" role="alert">Nothing was changed: ${plural(faults, 'field')} to correct.</p>`}
          <span class="soft grow">${changed.length === 0 ? 'Nothing changed yet' : `Changes: ${changed.map(({ label }) => label.toLowerCase()).join(', ')}`}</span>
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value || isRevoked || changed.length === 0}>
            ${isBusy.value ? 'Saving…' : conflict.value ? 'Save again' : 'Save'}
          </button>
        </div>
      </form>
    <//>
  `;
}

function RevokedNotice({ by }: { by: string | null | undefined }) {
  return html`
    <p class="notice bad" role="alert">
      <b>The key was revoked meanwhile${by && ` by ${by}`}</b>
      It cannot be changed any more. What you typed is kept here for you to copy.
    </p>
  `;
}

/** Somebody else has changed the key meanwhile, or the API wants to know what is changed. */
function isOutdated(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 412 || error.status === 428);
}

function patch({ key, etag }: ReadKey, form: EditForm): Promise<void> {
  const params = { path: { id: key.id }, header: { 'If-Match': etag } };
  return done(api.PATCH('/v1/keys/{id}', { params, body: patchOf(key, form) }));
}
