import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { type ApiError, answerOf, api, type Schemas } from '../api.ts';
import { Dialog } from '../components/dialog.ts';
import { Check, Choice, Field } from '../components/field.ts';
import { Failure } from '../components/states.ts';
import { toApiError } from '../resource.ts';
import { session } from '../session.ts';
import { isUnbound, workspaceId } from '../workspace.ts';

type Permission = Schemas['Permission'];

const LIFETIMES = [
  ['2592000', 'In 30 days'],
  ['7776000', 'In 90 days'],
  ['31536000', 'In a year'],
  ['', 'Never'],
] as const;

interface Props {
  onClose: () => void;
  onIssued: (key: string) => void;
}

export function CreateManagementKey({ onClose, onIssued }: Props) {
  const name = useSignal('');
  const workspace = useSignal(workspaceId.value);
  const lifetime = useSignal('31536000');
  const granted = useSignal<ReadonlySet<string>>(new Set());
  const error = useSignal<ApiError | null>(null);
  const offered = session.value?.caller.permissions ?? [];
  const toggle = (permission: string) => {
    const next = new Set(granted.value);
    if (!next.delete(permission)) next.add(permission);
    granted.value = next;
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    error.value = null;
    try {
      const { key } = await answerOf(
        api.POST('/v1/management-keys', {
          body: {
            name: name.value,
            permissions: offered.filter((one) => granted.value.has(one)) as Permission[],
            workspaceId: workspace.value.trim() === '' ? null : workspace.value.trim(),
            ...(lifetime.value !== '' && { expiresInSeconds: Number(lifetime.value) }),
          },
        }),
      );
      if (key !== null) onIssued(key);
    } catch (caught) {
      error.value = toApiError(caught);
    }
  };
  const fault = (field: string) => error.value?.faultOf(`/body/${field}`);
  return html`
    <${Dialog} title="Create a management key" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <${Field} label="Name" value=${name.value} isRequired hasFocus fault=${fault('name')} placeholder="gateway"
          onInput=${(value: string) => {
            name.value = value;
          }} />
        ${
          isUnbound.value &&
          html`<${Field} label="Workspace" value=${workspace.value} fault=${fault('workspaceId')} hint="Empty: every workspace."
          onInput=${(value: string) => {
            workspace.value = value;
          }} />`
        }
        <fieldset class="field">
          <legend>May</legend>
          <div class="grid-2">
            ${offered.map((permission) => html`<${Check} label=${html`<code>${permission}</code>`} isChecked=${granted.value.has(permission)} onChange=${() => toggle(permission)} />`)}
          </div>
          ${fault('permissions') && html`<div class="fault" role="alert">${fault('permissions')}</div>`}
        </fieldset>
        <${Choice} label="Expires" value=${lifetime.value} options=${LIFETIMES} fault=${fault('expiresInSeconds')}
          onInput=${(value: string) => {
            lifetime.value = value;
          }} />
        ${error.value && error.value.problem.errors.length === 0 && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="primary">Create</button>
        </div>
      </form>
    <//>
  `;
}
