import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../action.ts';
import { answerOf, api } from '../api.ts';
import type { Permission } from '../api-types.ts';
import { Dialog } from '../components/dialog.ts';
import { Choice, Field } from '../components/field.ts';
import { PermissionChecks } from '../components/permission-checks.ts';
import { Failure } from '../components/states.ts';
import { useIntent } from '../intent.ts';
import { session } from '../session.ts';
import { isEvery, isUnbound, workspaceId } from '../workspace.ts';

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
  const reach = useSignal(isEvery.value ? 'all' : 'own');
  const lifetime = useSignal('31536000');
  const granted = useSignal<readonly Permission[]>([]);
  const { error, isBusy, run } = useAction();
  const intent = useIntent();
  const offered = session.value?.caller.permissions ?? [];
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      const body = {
        name: name.value,
        permissions: [...granted.value],
        workspaceId: reach.value === 'all' ? null : workspaceId.value,
        ...(lifetime.value !== '' && { expiresInSeconds: Number(lifetime.value) }),
      };
      const headers = intent.headersFor(body);
      const { key } = await answerOf(api.POST('/v1/management-keys', { headers, body }));
      intent.fulfil();
      onIssued(key ?? '');
    });
  };
  const fault = (field: string) => error.value?.faultOf(`/body/${field}`);
  return html`
    <${Dialog} title="Create a management key" onClose=${onClose} isLocked=${isBusy.value}>
      <form class="stack" onSubmit=${submit}>
        <${Field} label="Name" value=${name.value} isRequired hasFocus fault=${fault('name')} placeholder="gateway"
          onInput=${(value: string) => {
            name.value = value;
          }} />
        ${
          isUnbound.value &&
          html`
            <${Choice} label="For" value=${reach.value} fault=${fault('workspaceId')}
              options=${[...(isEvery.value ? [] : [['own', `Workspace ${workspaceId.value}`]]), ['all', 'Every workspace']]}
              onInput=${(value: string) => {
                reach.value = value;
              }} />
          `
        }
        <${PermissionChecks} offered=${offered} granted=${granted.value} fault=${fault('permissions')}
          set=${(permissions: readonly Permission[]) => {
            granted.value = permissions;
          }} />
        <${Choice} label="Expires" value=${lifetime.value} options=${LIFETIMES} fault=${fault('expiresInSeconds')}
          onInput=${(value: string) => {
            lifetime.value = value;
          }} />
        ${error.value && error.value.problem.errors.length === 0 && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value}>Create</button>
        </div>
      </form>
    <//>
  `;
}
