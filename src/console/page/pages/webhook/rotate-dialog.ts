import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import { answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Check, Choice } from '../../components/field.ts';
import { Failure } from '../../components/states.ts';
import { Time } from '../../components/time.ts';
import { useIntent } from '../../intent.ts';
import { OneTimeSigningSecret } from '../webhooks/one-time-signing-secret.ts';

const GRACES = [
  ['0', 'None: it signs no longer'],
  ['3600', '1 hour'],
  ['86400', '1 day'],
  ['604800', '7 days'],
  ['2592000', '30 days'],
] as const;

interface Props {
  webhook: Schemas['Webhook'];
  onClose: () => void;
  /** The webhook has changed. */
  onDone: () => void;
}

export function RotateSecret({ webhook: { id, previousSecretUntil }, onClose, onDone }: Props) {
  const grace = useSignal('86400');
  const supersedes = useSignal(false);
  const issued = useSignal<Schemas['IssuedWebhook'] | null>(null);
  const { error, isBusy, run } = useAction();
  const intent = useIntent();
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await run(async () => {
      const body = { graceSeconds: Number(grace.value), supersede: supersedes.value };
      const headers = intent.headersFor(body);
      const params = { path: { id } };
      issued.value = await answerOf(
        api.POST('/v1/webhooks/{id}/rotate-secret', { params, headers, body }),
      );
      intent.fulfil();
    });
    if (isDone) announce('The signing secret was rotated.');
    onDone();
  };
  if (issued.value) {
    return html`<${OneTimeSigningSecret} value=${issued.value.signingSecret} onClose=${onClose} />`;
  }
  return html`
    <${Dialog} title="Rotate the signing secret" onClose=${onClose} isLocked=${isBusy.value}>
      <form class="stack" onSubmit=${submit}>
        <p>The webhook gets a new secret, shown once. Until the grace ends both sign, so that the receiver can change over.</p>
        <${Choice} label="Grace of the old secret" options=${GRACES} value=${grace.value}
          fault=${error.value?.faultOf('/body/graceSeconds')} hint=${hintOf(Number(grace.value))}
          onInput=${(value: string) => {
            grace.value = value;
          }} />
        ${previousSecretUntil && html`<${UnderWay} until=${previousSecretUntil} supersedes=${supersedes} />`}
        ${error.value && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" disabled=${isBusy.value} onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value || (previousSecretUntil !== null && !supersedes.value)}>
            ${isBusy.value ? 'Rotating…' : 'Rotate secret'}
          </button>
        </div>
      </form>
    <//>
  `;
}

function UnderWay({ until, supersedes }: { until: string; supersedes: { value: boolean } }) {
  return html`
    <div class="notice caution">
      <b>A rotation is under way</b>
      <span>The secret before signs until <${Time} at=${until} as="time" />.</span>
      <${Check} label="End that one now and rotate again" isChecked=${supersedes.value}
        onChange=${(is: boolean) => {
          supersedes.value = is;
        }} />
    </div>
  `;
}

function hintOf(seconds: number) {
  if (seconds === 0)
    return 'As after a leak: a receiver that has the old secret alone refuses everything from now on.';
  const at = new Date(Date.now() + seconds * 1000).toISOString();
  return html`Both secrets sign until <${Time} at=${at} as="time" />.`;
}
