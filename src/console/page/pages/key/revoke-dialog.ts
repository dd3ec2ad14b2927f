import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import { answerOf, api } from '../../api.ts';
import type { Key } from '../../api-types.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Field } from '../../components/field.ts';
import { Failure } from '../../components/states.ts';
import { LastUse } from './last-use.ts';
import { isUsedToday } from './read.ts';

const REASONS = ['leaked', 'compromised', 'unused', 'superseded', 'customer_left'] as const;

interface Props {
  apiKey: Key;
  onClose: () => void;
  onDone: () => void;
}

/** A key that is in use is revoked only by someone who types its name. */
export function RevokeDialog({ apiKey, onClose, onDone }: Props) {
  const reason = useSignal('');
  const note = useSignal('');
  const typed = useSignal('');
  const { error, isBusy, run } = useAction();
  const isInUse = isUsedToday(apiKey.usage.lastUsedAt);
  const isConfirmed = !isInUse || typed.value.trim() === apiKey.name.trim();
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isConfirmed || !(await run(() => revoke(apiKey, reason.value, note.value)))) return;
    announce('The key was revoked.');
    onClose();
    onDone();
  };
  return html`
    <${Dialog} title="Revoke “${apiKey.name}”" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <p>A revocation is final and in force at once, on every instance.</p>
        <${LastUse} apiKey=${apiKey} />
        <${Field} label="Reason" hint="A word that programs can filter by." placeholder="leaked" list=${REASONS}
          value=${reason.value} fault=${error.value?.faultOf('/body/reason')} hasFocus
          onInput=${(value: string) => {
            reason.value = value;
          }} />
        <${Field} label="Note" rows=${2} hint="For people: it stays with the key." value=${note.value}
          fault=${error.value?.faultOf('/body/note')}
          onInput=${(value: string) => {
            note.value = value;
          }} />
        ${
          isInUse &&
          html`
          <${Field} label="Type its name to confirm" value=${typed.value} isRequired
            hint=${html`It was used in the last day. Its name is <b>${apiKey.name}</b>.`}
            onInput=${(value: string) => {
              typed.value = value;
            }} />
        `
        }
        ${error.value && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="danger primary" disabled=${isBusy.value || !isConfirmed}>
            ${isBusy.value ? 'Revoking…' : 'Revoke key'}
          </button>
        </div>
      </form>
    <//>
  `;
}

async function revoke({ id }: Key, reason: string, note: string): Promise<void> {
  const body = {
    ...(reason.trim() !== '' && { reason: reason.trim() }),
    ...(note.trim() !== '' && { note: note.trim() }),
  };
  await answerOf(api.POST('/v1/keys/{id}/revoke', { params: { path: { id } }, body }));
}
