import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { api, done } from '../../api.ts';
import { announce } from '../../components/announce.ts';
import { ConflictNotice } from '../../components/conflict-notice.ts';
import { Dialog } from '../../components/dialog.ts';
import { SaveBar } from '../../components/save-bar.ts';
import { changedParts } from '../../conflict.ts';
import { useEditing } from '../../editing.ts';
import { readLastChange } from '../../last-change.ts';
import { EditFields } from './edit-fields.ts';
import { type EditForm, formOf, metadataFault, PARTS, patchOf } from './edit-form.ts';
import { type ReadKey, readKey } from './read.ts';

interface Props {
  read: ReadKey;
  onClose: () => void;
  onDone: () => void;
}

/** Changes the state that the form began with, and no other. */
export function EditDialog({ read, onClose, onDone }: Props) {
  const { base, form, conflict, error, isBusy, save, set } = useEditing({
    state: read,
    parts: PARTS,
    formOf: ({ key }) => formOf(key),
    patch,
    read: () => readKey(read.key.id),
    lastChange,
    onChange: onDone,
  });
  const element = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (error.value) element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [error.value]);
  const { key } = base.value;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (metadataFault(form.value.metadata) !== null || !(await save())) return;
    announce('The key was changed.');
    onClose();
  };
  const isRevoked = key.status === 'revoked';
  return html`
    <${Dialog} title="Edit “${read.key.name}”" onClose=${onClose} isWide>
      <form class="stack" ref=${element} onSubmit=${submit}>
        ${!isRevoked && conflict.value && html`<${ConflictNotice} what="this key" parts=${PARTS} conflict=${conflict.value} form=${form.value} set=${set} />`}
        ${isRevoked && html`<${RevokedNotice} by=${conflict.value?.by} />`}
        <${EditFields} form=${form.value} set=${set} error=${error.value} wereLimited=${key.credits !== null} />
        <${SaveBar} changed=${changedParts(PARTS, formOf(key), form.value)} error=${error.value} isBusy=${isBusy.value}
          hasEnded=${isRevoked} hasConflict=${conflict.value !== null} onClose=${onClose} />
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

async function lastChange({ key }: ReadKey) {
  const { by } = await readLastChange(key.id, key.workspaceId);
  return { by, at: key.updatedAt };
}

function patch({ key, etag }: ReadKey, form: EditForm): Promise<void> {
  const params = { path: { id: key.id }, header: { 'If-Match': etag } };
  return done(api.PATCH('/v1/keys/{id}', { params, body: patchOf(key, form) }));
}
