import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import type { Schemas } from '../../api-types.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Field } from '../../components/field.ts';
import { Failure } from '../../components/states.ts';
import { plural } from '../../format.ts';
import { fromLocal, toLocal } from '../../local-time.ts';
import { redeliver } from './read.ts';

const DAY_MS = 86_400_000;

interface Props {
  webhook: Schemas['Webhook'];
  onClose: () => void;
  onDone: () => void;
}

/** Sends what happened in a range of time, as the audit log has it. */
export function RedeliverDialog({ webhook: { id }, onClose, onDone }: Props) {
  const after = useSignal(toLocal(new Date(Date.now() - DAY_MS).toISOString()));
  const before = useSignal('');
  const { error, isBusy, run } = useAction();
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await run(async () => {
      const [from, to] = [fromLocal(after.value), fromLocal(before.value)];
      const queued = await redeliver(id, {
        ...(from && { after: from }),
        ...(to && { before: to }),
      });
      announce(queued === 0 ? 'There was nothing to send.' : `${plural(queued, 'event')} queued.`);
    });
    if (!isDone) return;
    onClose();
    onDone();
  };
  const fault = (field: string) => error.value?.faultOf(`/body/${field}`);
  return html`
    <${Dialog} title="Send events again" onClose=${onClose} isLocked=${isBusy.value}>
      <form class="stack" onSubmit=${submit}>
        <p>Every event of that time that the webhook takes, also what happened while it was disabled: at most 10,000. The receiver tells by <code>webhook-id</code> what it has already.</p>
        <div class="grid-2">
          <${Field} label="From" type="datetime-local" value=${after.value} isRequired hasFocus fault=${fault('after')}
            onInput=${(text: string) => {
              after.value = text;
            }} />
          <${Field} label="Until" type="datetime-local" value=${before.value} fault=${fault('before')} hint="Empty: now."
            onInput=${(text: string) => {
              before.value = text;
            }} />
        </div>
        ${error.value && error.value.problem.errors.length === 0 && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value}>${isBusy.value ? 'Queuing…' : 'Send again'}</button>
        </div>
      </form>
    <//>
  `;
}
