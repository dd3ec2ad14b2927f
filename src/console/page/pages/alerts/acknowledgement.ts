import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import { api, done } from '../../api.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Field } from '../../components/field.ts';
import { Failure } from '../../components/states.ts';
import { Time } from '../../components/time.ts';
import { alertsChanged } from '../../open-alerts.ts';
import { may } from '../../session.ts';
import { type Alert, AlertSentence, alertTitle } from './words.ts';

interface Props {
  alert: Alert;
  onDone: () => void;
  /** Where no heading says what the name is that of. */
  lead?: string;
}

/** Who has acknowledged an alert, or the button that does. */
export function Acknowledgement({ alert, onDone, lead = '' }: Props) {
  const isOpen = useSignal(false);
  const { acknowledgedAt, acknowledgedBy, acknowledgeNote } = alert;
  if (acknowledgedAt !== null) {
    return html`
      <div>${lead}by ${acknowledgedBy?.onBehalfOf ?? acknowledgedBy?.id ?? 'somebody'}, <${Time} at=${acknowledgedAt} /></div>
      ${acknowledgeNote && html`<div class="soft">“${acknowledgeNote}”</div>`}
    `;
  }
  if (!may('alerts:write')) return html`<span class="soft">not yet</span>`;
  return html`
    <button type="button" aria-label=${`Acknowledge: ${alertTitle(alert.type)}, ${alert.target.id}`} onClick=${() => {
      isOpen.value = true;
    }}>Acknowledge…</button>
    ${
      isOpen.value &&
      html`
        <${AcknowledgeDialog} alert=${alert} onDone=${onDone} onClose=${() => {
          isOpen.value = false;
        }} />
      `
    }
  `;
}

function AcknowledgeDialog({
  alert,
  onDone,
  onClose,
}: Omit<Props, 'lead'> & { onClose: () => void }) {
  const note = useSignal('');
  const { error, isBusy, run } = useAction();
  const submit = async (event: Event) => {
    event.preventDefault();
    const text = note.value.trim();
    const call = () =>
      done(
        api.POST('/v1/alerts/{id}/acknowledge', {
          params: { path: { id: alert.id } },
          body: text === '' ? {} : { note: text },
        }),
      );
    if (!(await run(call))) return;
    announce('The alert was acknowledged.');
    onClose();
    alertsChanged();
    onDone();
  };
  return html`
    <${Dialog} title="Acknowledge “${alertTitle(alert.type)}”" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <p><${AlertSentence} alert=${alert} /></p>
        <${Field} label="Note" rows=${3} value=${note.value} hasFocus fault=${error.value?.faultOf('/body/note')}
          hint="For those who look at it after you; it is in the audit log too. It cannot be changed."
          placeholder="The customer moves to a new key on Monday."
          onInput=${(text: string) => {
            note.value = text;
          }} />
        ${error.value && error.value.problem.errors.length === 0 && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value}>Acknowledge</button>
        </div>
      </form>
    <//>
  `;
}
