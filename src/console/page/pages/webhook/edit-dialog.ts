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
import { isUnbound, workspaceId } from '../../workspace.ts';
import { WebhookFields } from '../webhooks/fields.ts';
import {
  WEBHOOK_PARTS as PARTS,
  type WebhookForm,
  webhookForm,
  webhookPatch,
} from '../webhooks/form.ts';
import { webhookName } from '../webhooks/status.ts';
import { type ReadWebhook, readWebhook } from './read.ts';

interface Props {
  read: ReadWebhook;
  onClose: () => void;
  onDone: () => void;
}

/** Changes the state that the form began with, and no other. */
export function EditWebhook({ read, onClose, onDone }: Props) {
  const { id } = read.webhook;
  const { base, form, conflict, error, isBusy, save, set } = useEditing({
    state: read,
    parts: PARTS,
    formOf: ({ webhook }) => webhookForm(webhook),
    patch,
    read: () => readWebhook(id),
    lastChange: () => readLastChange(id, isUnbound.value ? '*' : workspaceId.value),
    onChange: onDone,
  });
  const element = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (error.value) element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [error.value]);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!(await save())) return;
    announce('The webhook was changed.');
    onClose();
  };
  const changed = changedParts(PARTS, webhookForm(base.value.webhook), form.value);
  return html`
    <${Dialog} title="Edit “${webhookName(read.webhook)}”" onClose=${onClose} isWide>
      <form class="stack" ref=${element} onSubmit=${submit}>
        ${conflict.value && html`<${ConflictNotice} what="this webhook" parts=${PARTS} conflict=${conflict.value} form=${form.value} set=${set} />`}
        <${WebhookFields} form=${form.value} error=${error.value} set=${set} />
        <${SaveBar} changed=${changed} error=${error.value} isBusy=${isBusy.value} hasEnded=${false}
          hasConflict=${conflict.value !== null} onClose=${onClose} />
      </form>
    <//>
  `;
}

function patch({ webhook, etag }: ReadWebhook, form: WebhookForm): Promise<void> {
  const params = { path: { id: webhook.id }, header: { 'If-Match': etag } };
  return done(api.PATCH('/v1/webhooks/{id}', { params, body: webhookPatch(webhook, form) }));
}
