import { html } from 'htm/preact';
import { Dialog } from '../../components/dialog.ts';
import { OneTimeSecret } from '../../components/one-time-secret.ts';

const FORMS = [
  ['Secret', (secret: string) => secret],
  ['.env', (secret: string) => `SIGNING_SECRET=${secret}`],
] as const;

interface Props {
  /** Null: the call was done by an attempt before, whose answer did not arrive. */
  value: string | null;
  onClose: () => void;
}

/** The one time that a signing secret is shown: the receiver verifies with it. */
export function OneTimeSigningSecret({ value, onClose }: Props) {
  if (value === null) return html`<${LostSecret} onClose=${onClose} />`;
  return html`
    <${OneTimeSecret} value=${value} onClose=${onClose} what="signing secret" forms=${FORMS}
      kept="The receiver verifies with it that what arrives is from Keyward." />
  `;
}

function LostSecret({ onClose }: { onClose: () => void }) {
  return html`
    <${Dialog} title="It was done, but the signing secret is lost" onClose=${onClose}>
      <p>The first answer did not arrive, and Keyward shows a secret only once. Rotate it to get another one.</p>
      <div class="actions"><button type="button" class="primary" onClick=${onClose}>To the webhook</button></div>
    <//>
  `;
}
