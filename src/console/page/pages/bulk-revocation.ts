import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../action.ts';
import { answerOf, api } from '../api.ts';
import type { Key } from '../api-types.ts';
import { announce } from '../components/announce.ts';
import { Dialog } from '../components/dialog.ts';
import { Field } from '../components/field.ts';
import { Failure, Loaded } from '../components/states.ts';
import { plural } from '../format.ts';
import { useResource } from '../resource.ts';
import { isEvery, workspaceId } from '../workspace.ts';

interface Props {
  keys: readonly Key[];
  onClose: () => void;
  onDone: () => void;
}

/** Says what would be revoked before it is. */
export function BulkRevocation({ keys, onClose, onDone }: Props) {
  const reason = useSignal('');
  const { error, isBusy, run } = useAction();
  const ids = keys.map(({ id }) => id);
  const call = (dryRun: boolean) =>
    answerOf(
      api.POST('/v1/keys/bulk-revoke', {
        body: {
          // Without one, keys are found in every workspace.
          ...(!isEvery.value && { workspaceId: workspaceId.value }),
          ids,
          dryRun,
          ...(reason.value.trim() !== '' && { reason: reason.value.trim() }),
        },
      }),
    );
  const preview = useResource(() => call(true), [ids.join()]);
  const revoke = async () => {
    await run(async () => {
      const { revoked } = await call(false);
      announce(`${plural(revoked, 'key')} revoked.`);
      onDone();
      onClose();
    });
  };
  return html`
    <${Dialog} title="Revoke ${plural(ids.length, 'key')}" onClose=${onClose}>
      <p>A revocation is final and in force at once, on every instance.</p>
      <${Loaded} resource=${preview}>
        ${({
          wouldRevoke,
          alreadyRevoked,
        }: {
          wouldRevoke: number | null;
          alreadyRevoked: number;
        }) => html`
          <div class="notice caution">
            <b>${plural(wouldRevoke ?? 0, 'key')} would be revoked</b>
            ${alreadyRevoked > 0 && html`<span>${plural(alreadyRevoked, 'key')} of the selection ended before.</span>`}
            <ul>${keys.map(({ name }) => html`<li>${name}</li>`)}</ul>
          </div>
        `}
      <//>
      <${Field} label="Reason" hint="A word that programs can filter by." placeholder="leaked" value=${reason.value}
        fault=${error.value?.faultOf('/body/reason')}
        onInput=${(value: string) => {
          reason.value = value;
        }} />
      ${error.value && html`<${Failure} error=${error.value} />`}
      <div class="actions">
        <button type="button" onClick=${onClose}>Cancel</button>
        <button type="button" class="danger primary" disabled=${isBusy.value || preview.data === null} onClick=${() => void revoke()}>
          ${isBusy.value ? 'Revoking…' : 'Revoke'}
        </button>
      </div>
    <//>
  `;
}
