import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { answerOf, api } from '../../api.ts';
import type { Key } from '../../api-types.ts';
import { OneTimeKey } from '../../components/one-time-key.ts';
import {
  type Rotation,
  RotationForm,
  type RotationHeaders,
} from '../../components/rotation-form.ts';
import { Time } from '../../components/time.ts';
import { LostString } from '../creation.ts';
import { retiringSecret } from './read.ts';

interface Props {
  apiKey: Key;
  onClose: () => void;
  /** The key has changed. */
  onDone: () => void;
}

export function RotateDialog({ apiKey, onClose, onDone }: Props) {
  const issued = useSignal<string | null>(null);
  const retiring = retiringSecret(apiKey);
  const rotate = async (body: Rotation, headers: RotationHeaders) => {
    const params = { path: { id: apiKey.id } };
    const { key } = await answerOf(api.POST('/v1/keys/{id}/rotate', { params, headers, body }));
    // Without one, it was rotated by an attempt before, whose answer did not arrive.
    issued.value = key ?? '';
  };
  if (issued.value === '') return html`<${LostString} onClose=${onClose} />`;
  if (issued.value !== null)
    return html`<${OneTimeKey} value=${issued.value} onClose=${onClose} />`;
  return html`
    <${RotationForm} title="Rotate “${apiKey.name}”" what="key" old="old string" noGrace="None: it ends now"
      supersede="End that string now and rotate again" underWay=${retiring && html`<${UnderWay} secret=${retiring} />`}
      hintOf=${hintOf} rotate=${rotate} onClose=${onClose} onDone=${onDone}>
      <p>The key gets a new string, shown once. Its id, scopes and limits stay.</p>
    <//>
  `;
}

function UnderWay({ secret }: { secret: Key['secrets'][number] }) {
  return html`<code>${secret.start}</code> is valid until <${Time} at=${secret.validUntil} as="time" />, last used${' '}
    <${Time} at=${secret.lastUsedAt} />.`;
}

function hintOf(seconds: number) {
  if (seconds === 0)
    return 'What still presents the old string is refused from the next request on.';
  const at = new Date(Date.now() + seconds * 1000).toISOString();
  return html`Both strings are valid until <${Time} at=${at} as="time" />.`;
}
