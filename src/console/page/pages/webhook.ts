import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../action.ts';
import { announce } from '../components/announce.ts';
import { Failure, Skeleton } from '../components/states.ts';
import { useResource } from '../resource.ts';
import { hrefOf } from '../router.ts';
import { may } from '../session.ts';
import { workspaceId } from '../workspace.ts';
import { Deliveries } from './webhook/deliveries.ts';
import { WebhookDialog } from './webhook/dialogs.ts';
import { WebhookFacts } from './webhook/facts.ts';
import { PingOutcome, usePing } from './webhook/ping.ts';
import { type ReadWebhook, readWebhook, setEnabled } from './webhook/read.ts';
import { type Webhook, WebhookStatus, WebhookTrouble, webhookName } from './webhooks/status.ts';

export function WebhookPage({ id }: { id: string }) {
  const read = useResource(() => readWebhook(id), [id]);
  const { data, error, isLoading, reload } = read;
  if (error && !data) {
    return error.status === 404 || error.status === 400
      ? html`<${MissingWebhook} id=${id} />`
      : html`<${Failure} error=${error} retry=${reload} />`;
  }
  if (!data) return html`<${Skeleton} lines=${12} />`;
  return html`
    ${error && html`<${Failure} error=${error} retry=${reload} />`}
    <${WebhookView} read=${data} isLoading=${isLoading} reload=${reload} />
  `;
}

interface ViewProps {
  read: ReadWebhook;
  isLoading: boolean;
  reload: () => void;
}

function WebhookView({ read, isLoading, reload }: ViewProps) {
  const { webhook } = read;
  const dialog = useSignal<string | null>(null);
  const turn = useSignal(0);
  const enabling = useAction();
  const refresh = () => {
    turn.value++;
    reload();
  };
  const ping = usePing(webhook.id, refresh);
  const enable = async () => {
    if (await enabling.run(() => setEnabled(webhook, true))) announce('The webhook was enabled.');
    refresh();
  };
  const act = (name: string) => {
    if (name === 'enable') void enable();
    else if (name === 'ping') void ping.ping();
    else dialog.value = name;
  };
  return html`
    <div aria-busy=${isLoading}>
      <${Header} webhook=${webhook} act=${act} isPinging=${ping.isBusy.value} refresh=${refresh} />
      <div class="stack notices">
        ${enabling.error.value && html`<${Failure} error=${enabling.error.value} />`}
        <${WebhookTrouble} ...${webhook} />
        <${PingOutcome} ping=${ping} />
      </div>
      <div class="columns webhook">
        <${Deliveries} webhook=${webhook} turn=${turn.value} onChange=${refresh} />
        <${WebhookFacts} webhook=${webhook} />
      </div>
      ${
        dialog.value &&
        html`
          <${WebhookDialog} name=${dialog.value} read=${read} onDone=${refresh} onClose=${() => {
            dialog.value = null;
          }} />
        `
      }
    </div>
  `;
}

interface HeaderProps {
  webhook: Webhook;
  act: (name: string) => void;
  isPinging: boolean;
  refresh: () => void;
}

/** What hands out events needs the permission to read them. */
function Header({ webhook, act, isPinging, refresh }: HeaderProps) {
  const mayWrite = may('webhooks:write');
  const mayHandOut = mayWrite && may('audit:read');
  const button = (name: string, text: string, tone = '') =>
    html`<button type="button" class=${tone} onClick=${() => act(name)}>${text}</button>`;
  return html`
    <p class="crumb"><a href=${hrefOf('/webhooks', { workspaceId: workspaceId.value })}>Webhooks</a></p>
    <header class="page-head key-head">
      <div>
        <div class="row"><h1>${webhookName(webhook)}</h1><${WebhookStatus} ...${webhook} /></div>
        <p><code>${webhook.url}</code></p>
      </div>
      <div class="row">
        <button type="button" class="plain" onClick=${refresh}>Refresh</button>
        ${mayWrite && webhook.enabled && html`<button type="button" disabled=${isPinging} onClick=${() => act('ping')}>${isPinging ? 'Sending…' : 'Send test event'}</button>`}
        ${mayHandOut && webhook.enabled && button('redeliver', 'Send again…')}
        ${mayWrite && button('edit', 'Edit…')}
        ${mayWrite && button('rotate', 'Rotate secret…')}
        ${mayWrite && webhook.enabled && button('disable', 'Disable…')}
        ${mayHandOut && !webhook.enabled && button('enable', 'Enable')}
        ${mayWrite && button('delete', 'Delete…', 'danger')}
      </div>
    </header>
  `;
}

function MissingWebhook({ id }: { id: string }) {
  return html`
    <div class="card empty">
      <h1>No such webhook</h1>
      <p><code>${id}</code></p>
      <p>It was deleted, or it belongs to a workspace that the signed-in key may not read.</p>
      <a class="button" href=${hrefOf('/webhooks', { workspaceId: workspaceId.value })}>To the webhooks</a>
    </div>
  `;
}
