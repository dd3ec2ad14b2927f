import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useHeldPage } from '../leaving.ts';
import { CopyButton } from './copy.ts';
import { Dialog } from './dialog.ts';
import { Check } from './field.ts';

interface Props {
  value: string;
  onClose: () => void;
  /** Such as “key”. */
  what: string;
  /** What Keyward has of it from now on. */
  kept: string;
  /** Ways to write it down; the first is the secret itself. */
  forms: readonly (readonly [title: string, of: (value: string) => string])[];
}

/**
 * The one time that a secret is shown. It is in the properties of this component alone: it is
 * gone when the dialog is closed. It closes after it was copied, or after the reader says that it is stored.
 */
export function OneTimeSecret({ value, onClose, what, kept, forms }: Props) {
  const form = useSignal(0);
  const isStored = useSignal(false);
  const wasLeaving = useSignal(false);
  useHeldPage(!isStored.value, () => {
    wasLeaving.value = true;
  });
  const text = forms[form.value]?.[1](value) ?? value;
  const store = () => {
    isStored.value = true;
  };
  return html`
    <${Dialog} title="Copy the ${what} now" onClose=${onClose} isLocked=${!isStored.value}>
      <p class="soft">It is shown this once. ${kept}</p>
      <div class="secret">
        <code data-testid="one-time-key" tabindex="0" aria-label="The ${what}">${text}</code>
        <${CopyButton} text=${text} key=${form.value} isPrimary onCopied=${store} />
      </div>
      <div class="segments" role="group" aria-label="Copy as">
        ${forms.map(
          ([title], index) => html`
          <button type="button" aria-pressed=${form.value === index} onClick=${() => {
            form.value = index;
          }}>${title}</button>
        `,
        )}
      </div>
      ${wasLeaving.value && !isStored.value && html`<p class="notice caution" role="alert">Copy the ${what} first, or say that it is stored: it would be lost.</p>`}
      <div class="row apart">
        <${Check} label="I have stored it" isChecked=${isStored.value} onChange=${(is: boolean) => {
          isStored.value = is;
        }} />
        <button type="button" disabled=${!isStored.value} onClick=${onClose}>Done</button>
      </div>
    <//>
  `;
}
