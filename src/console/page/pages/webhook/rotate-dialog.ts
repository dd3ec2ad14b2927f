import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import {
  type Rotation,
  RotationForm,
  type RotationHeaders,
} from '../../components/rotation-form.ts';
import { Time } from '../../components/time.ts';
import { OneTimeSigningSecret } from '../webhooks/one-time-signing-secret.ts';

interface Props {
  webhook: Schemas['Webhook'];
  onClose: () => void;
  /** The webhook has changed. */
  onDone: () => void;
}

export function RotateSecret({ webhook: { id, previousSecretUntil }, onClose, onDone }: Props) {
  const issued = useSignal<Schemas['IssuedWebhook'] | null>(null);
  const rotate = async (body: Rotation, headers: RotationHeaders) => {
    const params = { path: { id } };
    const call = api.POST('/v1/webhooks/{id}/rotate-secret', { params, headers, body });
    issued.value = await answerOf(call);
  };
  if (issued.value) {
    return html`<${OneTimeSigningSecret} value=${issued.value.signingSecret} onClose=${onClose} />`;
  }
  return html`
    <${RotationForm} title="Rotate the signing secret" what="signing secret" old="old secret" noGrace="None: it signs no longer"
      supersede="End that one now and rotate again"
      underWay=${previousSecretUntil && html`The secret before signs until <${Time} at=${previousSecretUntil} as="time" />.`}
      hintOf=${hintOf} rotate=${rotate} onClose=${onClose} onDone=${onDone}>
      <p>The webhook gets a new secret, shown once. Until the grace ends both sign, so that the receiver can change over.</p>
    <//>
  `;
}

function hintOf(seconds: number) {
  if (seconds === 0)
    return 'As after a leak: a receiver that has the old secret alone refuses everything from now on.';
  const at = new Date(Date.now() + seconds * 1000).toISOString();
  return html`Both secrets sign until <${Time} at=${at} as="time" />.`;
}
