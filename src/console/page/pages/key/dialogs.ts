import { html } from 'htm/preact';
import { api, done } from '../../api.ts';
import type { Key } from '../../api-types.ts';
import { Confirmation } from '../../components/confirmation.ts';
import { Time } from '../../components/time.ts';
import { EditDialog } from './edit-dialog.ts';
import { LastUse } from './last-use.ts';
import { type ReadKey, retiringSecret } from './read.ts';
import { RevokeDialog } from './revoke-dialog.ts';
import { RotateDialog } from './rotate-dialog.ts';

interface Props {
  name: string;
  read: ReadKey;
  onClose: () => void;
  onDone: () => void;
  onDeleted: () => void;
}

/** The dialog of this name. */
export function KeyDialog({ name, read, onClose, onDone, onDeleted }: Props) {
  const { key } = read;
  const rest = { onClose, onDone };
  if (name === 'edit') return html`<${EditDialog} read=${read} ...${rest} />`;
  if (name === 'rotate') return html`<${RotateDialog} apiKey=${key} ...${rest} />`;
  if (name === 'revoke') return html`<${RevokeDialog} apiKey=${key} ...${rest} />`;
  if (name === 'disable') {
    return html`
      <${Confirmation} title="Disable “${key.name}”" verb="Disable key" call=${() => disable(key)} ...${rest}>
        <p>It is refused at once, on every instance, until it is enabled again.</p>
        <${LastUse} apiKey=${key} />
      <//>
    `;
  }
  if (name === 'delete')
    return html`<${Deletion} apiKey=${key} onClose=${onClose} onDone=${onDeleted} />`;
  return html`<${EndOfGrace} apiKey=${key} ...${rest} />`;
}

export function setEnabled({ id }: Key, enabled: boolean): Promise<void> {
  return done(api.PATCH('/v1/keys/{id}', { params: { path: { id } }, body: { enabled } }));
}

async function disable(key: Key): Promise<string> {
  await setEnabled(key, false);
  return 'The key was disabled.';
}

interface EndProps {
  apiKey: Key;
  onClose: () => void;
  onDone: () => void;
}

function Deletion({ apiKey, ...rest }: EndProps) {
  const { id, name } = apiKey;
  const call = async () => {
    await done(api.DELETE('/v1/keys/{id}', { params: { path: { id } } }));
    return 'The key was deleted.';
  };
  return html`
    <${Confirmation} title="Delete “${name}”" verb="Delete key" isDanger call=${call} ...${rest}>
      <p>It leaves every list for good. Its counters and its entries in the audit log stay.</p>
    <//>
  `;
}

function EndOfGrace({ apiKey, ...rest }: EndProps) {
  const { id } = apiKey;
  const retiring = retiringSecret(apiKey);
  const call = async () => {
    await done(api.DELETE('/v1/keys/{id}/retiring-secret', { params: { path: { id } } }));
    return 'The old string has ended.';
  };
  return html`
    <${Confirmation} title="End the grace now" verb="End the grace" isDanger call=${call} ...${rest}>
      ${
        retiring
          ? html`<p><code>${retiring.start}</code> was last used <${Time} at=${retiring.lastUsedAt} />. It is refused from the next request on.</p>`
          : html`<p>The old string has ended already.</p>`
      }
    <//>
  `;
}
