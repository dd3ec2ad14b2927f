import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { useAction } from '../../action.ts';
import { answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import { Dialog } from '../../components/dialog.ts';
import { Choice } from '../../components/field.ts';
import { Failure } from '../../components/states.ts';
import { useIntent } from '../../intent.ts';
import { isEvery, isUnbound, workspaceId } from '../../workspace.ts';
import { WebhookFields } from './fields.ts';
import { NEW_WEBHOOK, type WebhookForm, webhookBody } from './form.ts';

interface Props {
  onClose: () => void;
  onIssued: (webhook: Schemas['IssuedWebhook']) => void;
}

export function CreateWebhook({ onClose, onIssued }: Props) {
  const form = useSignal<WebhookForm>(NEW_WEBHOOK);
  const reach = useSignal(isEvery.value ? 'all' : 'own');
  const { error, isBusy, run } = useAction();
  const intent = useIntent();
  const element = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (error.value) element.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [error.value]);
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      const of = reach.value === 'all' ? null : workspaceId.value;
      const body = { workspaceId: of, ...webhookBody(form.value) };
      const headers = intent.headersFor(body);
      const issued = await answerOf(api.POST('/v1/webhooks', { headers, body }));
      intent.fulfil();
      onIssued(issued);
    });
  };
  const set = (changes: Partial<WebhookForm>) => {
    form.value = { ...form.value, ...changes };
  };
  return html`
    <${Dialog} title="Create a webhook" onClose=${onClose} isLocked=${isBusy.value} isWide>
      <form class="stack" ref=${element} onSubmit=${submit}>
        <${WebhookFields} form=${form.value} error=${error.value} set=${set} />
        ${
          isUnbound.value &&
          html`
            <${Choice} label="Events of" value=${reach.value} fault=${error.value?.faultOf('/body/workspaceId')}
              options=${[...(isEvery.value ? [] : [['own', `Workspace ${workspaceId.value}`]]), ['all', 'Every workspace']]}
              onInput=${(value: string) => {
                reach.value = value;
              }} />
          `
        }
        ${error.value && error.value.problem.errors.length === 0 && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value}>Create webhook</button>
        </div>
      </form>
    <//>
  `;
}
