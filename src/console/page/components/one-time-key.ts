import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useHeldPage } from '../leaving.ts';
import { CopyButton } from './copy.ts';
import { Dialog } from './dialog.ts';
import { Check } from './field.ts';

const FORMS = {
  key: { title: 'Key', of: (key: string) => key },
  env: { title: '.env', of: (key: string) => `API_KEY=${key}` },
  curl: {
    title: 'curl',
    of: (key: string) => `curl https://api.example.com/ -H 'Authorization: Bearer ${key}'`,
  },
};
type Form = keyof typeof FORMS;
const FORM_NAMES: readonly Form[] = ['key', 'env', 'curl'];

/**
 * The one time that a key is shown. It is in the properties of this component alone: it is
 * gone when the dialog is closed. It closes after it was copied, or after the reader says that it is stored.
 */
export function OneTimeKey({ value, onClose }: { value: string; onClose: () => void }) {
  const form = useSignal<Form>('key');
  const isStored = useSignal(false);
  const wasLeaving = useSignal(false);
  useHeldPage(!isStored.value, () => {
    wasLeaving.value = true;
  });
  const text = FORMS[form.value].of(value);
  const store = () => {
    isStored.value = true;
  };
  return html`
    <${Dialog} title="Copy the key now" onClose=${onClose} isLocked=${!isStored.value}>
      <p class="soft">It is shown this once. Keyward keeps only a hash of it.</p>
      <div class="secret">
        <code data-testid="one-time-key" tabindex="0" aria-label="The key">${text}</code>
        <${CopyButton} text=${text} key=${form.value} isPrimary onCopied=${store} />
      </div>
      <div class="segments" role="group" aria-label="Copy as">
        ${FORM_NAMES.map(
          (name) => html`
          <button type="button" aria-pressed=${form.value === name} onClick=${() => {
            form.value = name;
          }}>${FORMS[name].title}</button>
        `,
        )}
      </div>
      ${wasLeaving.value && !isStored.value && html`<p class="notice caution" role="alert">Copy the key first, or say that it is stored: it would be lost.</p>`}
      <div class="row apart">
        <${Check} label="I have stored it" isChecked=${isStored.value} onChange=${(is: boolean) => {
          isStored.value = is;
        }} />
        <button type="button" disabled=${!isStored.value} onClick=${onClose}>Done</button>
      </div>
    <//>
  `;
}
