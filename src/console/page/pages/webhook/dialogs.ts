import { html } from 'htm/preact';
import { api, done } from '../../api.ts';
import { Confirmation } from '../../components/confirmation.ts';
import { navigate } from '../../router.ts';
import { workspaceId } from '../../workspace.ts';
import { webhookName } from '../webhooks/status.ts';
import { EditWebhook } from './edit-dialog.ts';
import { type ReadWebhook, setEnabled } from './read.ts';
import { RedeliverDialog } from './redeliver-dialog.ts';
import { RotateSecret } from './rotate-dialog.ts';

interface Props {
  name: string;
  read: ReadWebhook;
  onClose: () => void;
  onDone: () => void;
}

/** The dialog of this name. */
export function WebhookDialog({ name, read, onClose, onDone }: Props) {
  const { webhook } = read;
  const rest = { onClose, onDone };
  if (name === 'edit') return html`<${EditWebhook} read=${read} ...${rest} />`;
  if (name === 'rotate') return html`<${RotateSecret} webhook=${webhook} ...${rest} />`;
  if (name === 'redeliver') return html`<${RedeliverDialog} webhook=${webhook} ...${rest} />`;
  if (name === 'disable') {
    const disable = async () => {
      await setEnabled(webhook, false);
      return 'The webhook was disabled.';
    };
    return html`
      <${Confirmation} title="Disable “${webhookName(webhook)}”" verb="Disable webhook" call=${disable} ...${rest}>
        <p>Nothing is queued or sent until it is enabled again. What waits now is sent then; what happens meanwhile can be sent again by its time.</p>
      <//>
    `;
  }
  return html`<${Deletion} webhook=${webhook} onClose=${onClose} />`;
}

function Deletion({ webhook, onClose }: { webhook: ReadWebhook['webhook']; onClose: () => void }) {
  const call = async () => {
    await done(api.DELETE('/v1/webhooks/{id}', { params: { path: { id: webhook.id } } }));
    return 'The webhook was deleted.';
  };
  const leave = () => navigate('/webhooks', { workspaceId: workspaceId.value }, { replace: true });
  return html`
    <${Confirmation} title="Delete “${webhookName(webhook)}”" verb="Delete webhook" isDanger call=${call} onDone=${leave} onClose=${onClose}>
      <p>Nothing is sent to <code>${webhook.url}</code> any more, also not what waits. Its deliveries are no longer shown. What happened stays in the audit log.</p>
    <//>
  `;
}
