import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import { useAction } from '../action.ts';
import { announce } from './announce.ts';
import { Dialog } from './dialog.ts';
import { Field } from './field.ts';
import { Failure } from './states.ts';

interface Props {
  title: string;
  verb: string;
  isDanger?: boolean;
  /** What has to be typed before the button works; null: nothing. */
  word?: string | null;
  /** Returns what to tell once it is done. */
  call: () => Promise<string>;
  onDone?: () => void;
  onClose: () => void;
  children: ComponentChildren;
}

/** Says what is about to happen, before it does. */
export function Confirmation({ title, verb, isDanger, word = null, call, ...props }: Props) {
  const typed = useSignal('');
  const { error, isBusy, run } = useAction();
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await run(async () => announce(await call()));
    if (!isDone) return;
    props.onClose();
    props.onDone?.();
  };
  const isReady = word === null || typed.value === word;
  return html`
    <${Dialog} title=${title} onClose=${props.onClose}>
      <form class="stack" onSubmit=${submit}>
        ${props.children}
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
          <button type="button" onClick=${props.onClose}>Cancel</button>
          <button class=${isDanger ? 'danger primary' : 'primary'} disabled=${!isReady || isBusy.value}>${verb}</button>
        </div>
      </form>
    <//>
  `;
}
