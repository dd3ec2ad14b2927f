import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import { answerOf, api } from '../../api.ts';
import type { Key } from '../../api-types.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Check, Choice } from '../../components/field.ts';
import { OneTimeKey } from '../../components/one-time-key.ts';
import { Failure } from '../../components/states.ts';
import { Time } from '../../components/time.ts';
import { useIntent } from '../../intent.ts';
import { LostString } from '../creation.ts';
import { retiringSecret } from './read.ts';

const GRACES = [
  ['0', 'None: it ends now'],
  ['3600', '1 hour'],
  ['86400', '1 day'],
  ['604800', '7 days'],
  ['2592000', '30 days'],
] as const;

interface Props {
  apiKey: Key;
  onClose: () => void;
  /** The key has changed. */
  onDone: () => void;
}

export function RotateDialog({ apiKey, onClose, onDone }: Props) {
  const grace = useSignal('86400');
  const supersedes = useSignal(false);
  const issued = useSignal<string | null>(null);
  const { error, isBusy, run } = useAction();
  const intent = useIntent();
  const retiring = retiringSecret(apiKey);
  const submit = async (event: Event) => {
    event.preventDefault();
    const graceSeconds = Number(grace.value);
    const isDone = await run(async () => {
      const body = { graceSeconds, supersede: supersedes.value };
      issued.value = await rotate(apiKey, body, intent.headersFor(body));
      intent.fulfil();
    });
    if (isDone) announce('The key was rotated.');
    // Where it was refused, somebody else may have rotated or revoked it.
    onDone();
  };
  if (issued.value === '') return html`<${LostString} onClose=${onClose} />`;
  if (issued.value !== null)
    return html`<${OneTimeKey} value=${issued.value} onClose=${onClose} />`;
  return html`
    <${Dialog} title="Rotate “${apiKey.name}”" onClose=${onClose} isLocked=${isBusy.value}>
      <form class="stack" onSubmit=${submit}>
        <p>The key gets a new string, shown once. Its id, scopes and limits stay.</p>
        <${Choice} label="Grace of the old string" options=${GRACES} value=${grace.value}
          fault=${error.value?.faultOf('/body/graceSeconds')} hint=${hintOf(Number(grace.value))}
          onInput=${(value: string) => {
            grace.value = value;
          }} />
        ${retiring && html`<${UnderWay} secret=${retiring} supersedes=${supersedes} />`}
        ${error.value && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" disabled=${isBusy.value} onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value || (retiring !== null && !supersedes.value)}>
            ${isBusy.value ? 'Rotating…' : 'Rotate key'}
          </button>
        </div>
      </form>
    <//>
  `;
}

interface UnderWayProps {
  secret: Key['secrets'][number];
  supersedes: { value: boolean };
}

function UnderWay({ secret, supersedes }: UnderWayProps) {
  return html`
    <div class="notice caution">
      <b>A rotation is under way</b>
      <span><code>${secret.start}</code> is valid until <${Time} at=${secret.validUntil} as="time" />, last used${' '}
      <${Time} at=${secret.lastUsedAt} />.</span>
      <${Check} label="End that string now and rotate again" isChecked=${supersedes.value}
        onChange=${(is: boolean) => {
          supersedes.value = is;
        }} />
    </div>
  `;
}

function hintOf(seconds: number) {
  if (seconds === 0)
    return 'What still presents the old string is refused from the next request on.';
  const at = new Date(Date.now() + seconds * 1000).toISOString();
  return html`Both strings are valid until <${Time} at=${at} as="time" />.`;
}

interface Rotation {
  graceSeconds: number;
  supersede: boolean;
}

type Headers = ReturnType<ReturnType<typeof useIntent>['headersFor']>;

/** Empty where it was rotated by an attempt before, whose answer did not arrive. */
async function rotate({ id }: Key, body: Rotation, headers: Headers): Promise<string> {
  const call = api.POST('/v1/keys/{id}/rotate', { params: { path: { id } }, headers, body });
  return (await answerOf(call)).key ?? '';
}
