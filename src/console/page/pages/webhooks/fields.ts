import { html } from 'htm/preact';
import type { ApiError } from '../../api.ts';
import { Choice, Field } from '../../components/field.ts';
import { faultUnder } from '../../faults.ts';
import { type Chosen, EventTypes } from './event-types.ts';
import { FORMATS, type WebhookForm } from './form.ts';

interface Props {
  form: WebhookForm;
  error: ApiError | null;
  set: (changes: Partial<WebhookForm>) => void;
}

export function WebhookFields({ form, error, set }: Props) {
  const fault = (field: string) => faultUnder(error, `/body/${field}`);
  return html`
    <${Field} label="URL" type="url" value=${form.url} isRequired hasFocus fault=${fault('url')} placeholder="https://example.com/hooks/keyward"
      hint="Where events are sent: https, to a public address. Others need KEYWARD_WEBHOOK_NETWORKS."
      onInput=${(url: string) => set({ url })} />
    <div class="grid-2">
      <${Field} label="Description" value=${form.description} fault=${fault('description')} placeholder="Chat of the platform team"
        onInput=${(description: string) => set({ description })} />
      <${Choice} label="Format" value=${form.format} options=${FORMATS} fault=${fault('format')}
        onInput=${(format: string) => set({ format })} />
    </div>
    <${EventTypes} value=${form.eventTypes} fault=${fault('eventTypes')} set=${(eventTypes: Chosen) => set({ eventTypes })} />
  `;
}
