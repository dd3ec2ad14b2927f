import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import { useAction } from '../../action.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Failure } from '../../components/states.ts';

interface Props {
  title: string;
  verb: string;
  isDanger?: boolean;
  call: () => Promise<void>;
  /** What to tell once it is done. */
  told: string;
  onDone: () => void;
  onClose: () => void;
  children: ComponentChildren;
}

/** Says what is about to happen, before it does. */
export function ConfirmDialog({ title, verb, isDanger, call, told, ...props }: Props) {
  const { error, isBusy, run } = useAction();
  const confirm = async () => {
    if (!(await run(call))) return;
    announce(told);
    props.onClose();
    props.onDone();
  };
  return html`
    <${Dialog} title=${title} onClose=${props.onClose}>
      ${props.children}
      ${error.value && html`<${Failure} error=${error.value} />`}
      <div class="actions">
        <button type="button" onClick=${props.onClose}>Cancel</button>
        <button type="button" class=${isDanger ? 'danger primary' : 'primary'} disabled=${isBusy.value}
          onClick=${() => void confirm()}>${verb}</button>
      </div>
    <//>
  `;
}
