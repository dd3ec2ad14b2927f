import { html } from 'htm/preact';
import type { Schemas } from '../../api-types.ts';
import { Pill } from '../../components/status.ts';
import { Time } from '../../components/time.ts';

export type Webhook = Schemas['Webhook'];

/** What people call it. */
export function webhookName({ description, url }: Pick<Webhook, 'description' | 'url'>): string {
  return description ?? (URL.canParse(url) ? new URL(url).host : url);
}

export function WebhookStatus({ enabled, disabledReason, failingSince }: Webhook) {
  if (!enabled && disabledReason === null) return html`<${Pill} tone="neutral" text="Disabled" />`;
  if (!enabled) return html`<${Pill} tone="bad" text="Disabled by Keyward" />`;
  if (failingSince !== null) return html`<${Pill} tone="caution" text="Failing" />`;
  return html`<${Pill} tone="good" text="Active" />`;
}

const REASONS: Record<string, string> = {
  gone: 'The receiver answered 410, which says that it is gone for good.',
  failing: 'Nothing but failures for five days.',
};

/** Why nothing arrives, and what to do about it. */
export function WebhookTrouble({ enabled, disabledReason, failingSince }: Webhook) {
  if (!enabled && disabledReason !== null) {
    return html`
      <p class="notice bad">
        <b>Keyward has disabled this webhook</b>
        <span>${REASONS[disabledReason] ?? disabledReason} Nothing is queued until it is enabled again; what waited before is sent then. What happens meanwhile can be sent again from the audit log.</span>
      </p>
    `;
  }
  if (!enabled || failingSince === null) return null;
  return html`
    <p class="notice caution">
      <b>Failing since <${Time} at=${failingSince} as="time" /></b>
      <span>Events wait and are tried again, ever more rarely, for three days. After five days without a success Keyward disables the webhook.</span>
    </p>
  `;
}
