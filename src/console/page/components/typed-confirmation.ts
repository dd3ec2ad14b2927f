import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import { useAction } from '../action.ts';
import { Dialog } from './dialog.ts';
import { Field } from './field.ts';
import { Failure } from './states.ts';

interface Props {
  title: string;
  /** What has to be typed before the button works; null: nothing. */
  word: string | null;
  verb: string;
  run: () => Promise<void>;
  onClose: () => void;
  children: ComponentChildren;
}

/** Asks before something that cannot be undone. */
export function TypedConfirmation({ title, word, verb, run, onClose, children }: Props) {
  const typed = useSignal('');
  const { error, isBusy, run: act } = useAction();
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await act(run)) onClose();
  };
  const isReady = word === null || typed.value === word;
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        ${children}
        ${
          word !== null &&
          html`<${Field} label=${`Type “${word}” to confirm`} value=${typed.value} hasFocus onInput=${(
            value: string,
          ) => {
            typed.value = value;
          }} />`
        }
        ${error.value && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="danger primary" disabled=${!isReady || isBusy.value}>${verb}</button>
        </div>
      </form>
    <//>
  `;
}
