import { html } from 'htm/preact';
import { useEffect } from 'preact/hooks';
import { useAction } from '../../action.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Failure, Skeleton } from '../../components/states.ts';
import { useResource } from '../../resource.ts';
import { KeyDialog, setEnabled } from '../key/dialogs.ts';
import { type ReadKey, readKey } from '../key/read.ts';

interface Props {
  id: string;
  action: string;
  onClose: () => void;
  /** The key has changed. */
  onDone: () => void;
}

/** An action on a key of the list, with the key as it is now. */
export function KeyAction({ id, action, onClose, onDone }: Props) {
  const { data, error, reload } = useResource(() => readKey(id), [id]);
  const done = () => {
    reload();
    onDone();
  };
  if (data && action === 'enable') {
    return html`<${Enabling} read=${data} onClose=${onClose} onDone=${onDone} />`;
  }
  if (data) {
    return html`<${KeyDialog} name=${action} read=${data} onClose=${onClose} onDone=${done} onDeleted=${onDone} />`;
  }
  return html`
    <${Dialog} title="Key" onClose=${onClose}>
      ${error ? html`<${Failure} error=${error} retry=${reload} />` : html`<${Skeleton} lines=${4} />`}
      <div class="actions"><button type="button" onClick=${onClose}>Close</button></div>
    <//>
  `;
}

interface EnablingProps {
  read: ReadKey;
  onClose: () => void;
  onDone: () => void;
}

/** Takes nothing away, so it is done without a question. */
function Enabling({ read, onClose, onDone }: EnablingProps) {
  const { error, run } = useAction();
  useEffect(() => {
    void run(() => setEnabled(read.key, true)).then((isDone) => {
      if (!isDone) return;
      announce('The key was enabled.');
      onClose();
      onDone();
    });
  }, []);
  if (!error.value) return null;
  return html`
    <${Dialog} title="“${read.key.name}” was not enabled" onClose=${onClose}>
      <${Failure} error=${error.value} />
      <div class="actions"><button type="button" onClick=${onClose}>Close</button></div>
    <//>
  `;
}
