import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { Pager } from '../components/pager.ts';
import { Empty, Loaded } from '../components/states.ts';
import { Time } from '../components/time.ts';
import { plural } from '../format.ts';
import { useResource } from '../resource.ts';
import { hrefOf, navigate, place } from '../router.ts';
import { may } from '../session.ts';
import { isUnbound, workspaceId } from '../workspace.ts';
import { CreateWebhook } from './webhooks/create-dialog.ts';
import { eventText } from './webhooks/form.ts';
import { OneTimeSigningSecret } from './webhooks/one-time-signing-secret.ts';
import { type Webhook, WebhookStatus, webhookName } from './webhooks/status.ts';

const SHOWN_TYPES = 3;

export function WebhooksPage() {
  const cursor = place.value.query.get('cursor');
  const isCreating = useSignal(false);
  const issued = useSignal<Schemas['IssuedWebhook'] | null>(null);
  const list = useResource(() => {
    const of = isUnbound.value ? '*' : workspaceId.value;
    const query = { workspaceId: of, ...(cursor && { cursor }) };
    return answerOf(api.GET('/v1/webhooks', { params: { query } }));
  }, [workspaceId.value, cursor]);
  const show = (webhook: Schemas['IssuedWebhook']) => {
    isCreating.value = false;
    issued.value = webhook;
  };
  const close = () => {
    const id = issued.value?.id;
    issued.value = null;
    navigate(`/webhooks/${id}`, { workspaceId: workspaceId.value });
  };
  return html`
    <header class="page-head">
      <div>
        <h1>Webhooks</h1>
        <p>Where Keyward sends what happens: every entry of the audit log, and every alert.</p>
      </div>
      ${
        mayCreate() &&
        html`<button type="button" class="primary" onClick=${() => {
          isCreating.value = true;
        }}>Create webhook</button>`
      }
    </header>
    <${Loaded} resource=${list}>
      ${(page: Schemas['WebhookPage']) =>
        page.data.length === 0
          ? html`<div class="card"><${Empty} title="No webhooks"><p>Create one to be told in your chat, your log store or your own service.</p><//></div>`
          : html`<${Table} ...${page} />`}
    <//>
    ${
      isCreating.value &&
      html`
        <${CreateWebhook} onIssued=${show} onClose=${() => {
          isCreating.value = false;
        }} />
      `
    }
    ${issued.value && html`<${OneTimeSigningSecret} value=${issued.value.signingSecret} onClose=${close} />`}
  `;
}

/** A webhook hands out what the audit log says. */
function mayCreate(): boolean {
  return may('webhooks:write') && may('audit:read');
}

function Table({ data, nextCursor }: Schemas['WebhookPage']) {
  return html`
    <div class="card">
      <div class="table-wrap">
        <table>
          <thead><tr><th>Webhook</th><th>Workspace</th><th>Events</th><th>Status</th><th>Last delivered</th></tr></thead>
          <tbody>${data.map((webhook) => html`<${Row} key=${webhook.id} ...${webhook} />`)}</tbody>
        </table>
      </div>
      <${Pager} count=${plural(data.length, 'webhook')} nextCursor=${nextCursor} />
    </div>
  `;
}

function Row(webhook: Webhook) {
  const { id, url, workspaceId: of } = webhook;
  return html`
    <tr>
      <td>
        <div class="name"><a href=${hrefOf(`/webhooks/${id}`, { workspaceId: workspaceId.value })}>${webhookName(webhook)}</a></div>
        <div class="below">${url}</div>
      </td>
      <td>${of ?? html`<span class="soft">every</span>`}</td>
      <td><${EventChips} types=${webhook.eventTypes} /></td>
      <td>
        <${WebhookStatus} ...${webhook} />
        ${webhook.enabled && webhook.failingSince && html`<div class="soft small">since <${Time} at=${webhook.failingSince} /></div>`}
      </td>
      <td class="nowrap"><${Time} at=${webhook.lastDeliveredAt} none="Never" /></td>
    </tr>
  `;
}

/** Which events are sent: a few of them by name. */
function EventChips({ types }: { types: readonly string[] | null }) {
  if (types === null) return html`<span class="soft">all</span>`;
  const more = types.length - SHOWN_TYPES;
  return html`
    ${types.slice(0, SHOWN_TYPES).map((type) => html`<span class="scope" title=${eventText(type)}>${type}</span>`)}
    ${more > 0 && html`<span class="soft" title=${types.join(', ')}>+${more}</span>`}
  `;
}
