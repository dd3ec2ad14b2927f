import type { Schemas } from '../../api-types.ts';
import { changedParts, type Part } from '../../conflict.ts';
import { actionText, groupText, knownActions } from '../../words.ts';
import type { Chosen } from './event-types.ts';

type Update = Schemas['UpdateWebhookRequest'];
type Format = Schemas['WebhookFormat'];

/** What can be changed of a webhook. */
export interface WebhookForm {
  url: string;
  description: string;
  eventTypes: Chosen;
  format: string;
}

export const NEW_WEBHOOK: WebhookForm = {
  url: '',
  description: '',
  eventTypes: null,
  format: 'event',
};

export const FORMATS: readonly (readonly [Format, string])[] = [
  ['event', 'As the audit log has it'],
  ['cloudevents', 'CloudEvents 1.0'],
];

interface WebhookPart extends Part<WebhookForm> {
  patch: (form: WebhookForm) => Update;
}

export const WEBHOOK_PARTS: readonly WebhookPart[] = [
  {
    label: 'URL',
    fields: ['url'],
    text: ({ url }) => url.trim(),
    patch: ({ url }) => ({ url: url.trim() }),
  },
  {
    label: 'Description',
    fields: ['description'],
    text: ({ description }) => description.trim(),
    patch: ({ description }) => ({ description: description.trim() || null }),
  },
  {
    label: 'Events',
    fields: ['eventTypes'],
    text: ({ eventTypes }) => eventTypes?.toSorted().join(', ') ?? 'all',
    patch: ({ eventTypes }) => ({ eventTypes: eventTypes && [...eventTypes] }),
  },
  {
    label: 'Format',
    fields: ['format'],
    text: ({ format }) => formatText(format),
    patch: ({ format }) => ({ format: FORMATS.find(([name]) => name === format)?.[0] ?? 'event' }),
  },
];

export function webhookForm(webhook: Schemas['Webhook']): WebhookForm {
  const { url, description, eventTypes, format } = webhook;
  return {
    url,
    description: description ?? '',
    eventTypes: eventTypes && knownActions(eventTypes),
    format,
  };
}

/** Every field, as the API takes them. */
export function webhookBody(form: WebhookForm): Update & { url: string } {
  return Object.assign({ url: form.url }, ...WEBHOOK_PARTS.map(({ patch }) => patch(form)));
}

/** What was changed, and nothing else. */
export function webhookPatch(webhook: Schemas['Webhook'], form: WebhookForm): Update {
  const changed = changedParts(WEBHOOK_PARTS, webhookForm(webhook), form);
  return Object.assign({}, ...changed.map(({ patch }) => patch(form)));
}

export const formatText = (format: string) =>
  FORMATS.find(([name]) => name === format)?.[1] ?? format;

/** Such as “Keys: Revoked”; alerts say themselves what they are about. */
export function eventText(type: string): string {
  if (type === 'webhook.ping') return 'Test event';
  return type.startsWith('alert.') ? actionText(type) : `${groupText(type)}: ${actionText(type)}`;
}
