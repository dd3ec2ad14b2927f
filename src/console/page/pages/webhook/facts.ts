import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import { CopyButton } from '../../components/copy.ts';
import { Time } from '../../components/time.ts';
import { hrefOf } from '../../router.ts';
import { may } from '../../session.ts';
import { formatText } from '../webhooks/form.ts';
import type { Webhook } from '../webhooks/status.ts';

/** What is set, and when it was last heard of. */
export function WebhookFacts({ webhook }: { webhook: Webhook }) {
  const { id, workspaceId, eventTypes, createdBy, previousSecretUntil } = webhook;
  return html`
    <section class="card padded stack" aria-labelledby="facts">
      <h2 id="facts">Details</h2>
      <dl class="facts">
        <${Fact} name="Id"><span class="row"><code>${id}</code><${CopyButton} text=${id} /></span><//>
        <${Fact} name="Workspace">${workspaceId ?? html`<span class="soft">every</span>`}<//>
        <${Fact} name="URL"><code>${webhook.url}</code><//>
        <${Fact} name="Events">${eventTypes === null ? html`<span class="soft">all</span>` : eventTypes.map((type) => html`<span class="scope">${type}</span>`)}<//>
        <${Fact} name="Format">${formatText(webhook.format)}<//>
        <${Fact} name="Last delivered"><${Time} at=${webhook.lastDeliveredAt} /><//>
        ${previousSecretUntil && html`<${Fact} name="Signing secret">rotated; the one before signs until <${Time} at=${previousSecretUntil} as="time" /><//>`}
        <${Fact} name="Created"><${Time} at=${webhook.createdAt} as="time" /> by ${createdBy.onBehalfOf ?? createdBy.id}<//>
      </dl>
      ${may('audit:read') && html`<a href=${hrefOf('/audit', { workspaceId: workspaceId ?? 'default', targetId: id })}>Its changes in the audit log</a>`}
    </section>
  `;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return html`<dt>${name}</dt><dd>${children}</dd>`;
}
