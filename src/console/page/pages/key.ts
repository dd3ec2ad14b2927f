import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../action.ts';
import { announce } from '../components/announce.ts';
import { Failure, Skeleton } from '../components/states.ts';
import { type Resource, useResource } from '../resource.ts';
import { navigate } from '../router.ts';
import { may } from '../session.ts';
import { KeyAlerts } from './key/alerts.ts';
import { KeyDialog, setEnabled } from './key/dialogs.ts';
import { Explain } from './key/explain.ts';
import { Facts } from './key/facts.ts';
import { KeyHeader, Revocation } from './key/header.ts';
import { MissingKey } from './key/missing.ts';
import { Quotas } from './key/quotas.ts';
import { type ReadKey, readKey } from './key/read.ts';
import { RotationCard, Strings } from './key/strings.ts';
import { Trail } from './key/trail.ts';
import { Usage } from './key/usage.ts';

export function KeyPage({ id }: { id: string }) {
  const read = useResource(() => readKey(id), [id]);
  const dialog = useSignal<string | null>(null);
  const { data, error, isLoading } = read;
  // What is typed in a dialog outlives the key.
  if (isMissing(read) && !(data && dialog.value)) return html`<${MissingKey} id=${id} />`;
  if (!data) {
    return isLoading
      ? html`<${Skeleton} lines=${14} />`
      : error && html`<${Failure} error=${error} retry=${read.reload} />`;
  }
  const close = () => {
    dialog.value = null;
  };
  const leave = () => navigate('/keys', { workspaceId: data.key.workspaceId }, { replace: true });
  return html`
    ${error && html`<${Failure} error=${error} retry=${read.reload} />`}
    <${KeyView} read=${data} isLoading=${isLoading} reload=${read.reload} open=${(name: string) => {
      dialog.value = name;
      // By what is true now: when it was last used, and whether it is being rotated.
      if (name !== 'edit') read.reload();
    }} />
    ${dialog.value && html`<${KeyDialog} name=${dialog.value} read=${data} onClose=${close} onDone=${read.reload} onDeleted=${leave} />`}
  `;
}

/** Deleted, in another workspace, or no id of a key at all. */
function isMissing({ error }: Resource<ReadKey>): boolean {
  return (
    error?.status === 404 || (error?.status === 400 && error.faultOf('/path/id') !== undefined)
  );
}

interface ViewProps {
  read: ReadKey;
  isLoading: boolean;
  reload: () => void;
  open: (dialog: string) => void;
}

function KeyView({ read: { key, etag }, isLoading, reload, open }: ViewProps) {
  const enabling = useAction();
  const enable = async () => {
    if (await enabling.run(() => setEnabled(key, true))) announce('The key was enabled.');
    reload();
  };
  const act = (name: string) => (name === 'enable' ? void enable() : open(name));
  return html`
    <div aria-busy=${isLoading}>
      <${KeyHeader} apiKey=${key} act=${act} reload=${reload} />
      ${enabling.error.value && html`<${Failure} error=${enabling.error.value} />`}
      <${Revocation} apiKey=${key} />
      <${RotationCard} apiKey=${key} onEnd=${() => open('end-grace')} />
      <div class="columns">
        <div class="stack">
          ${may('usage:read') && html`<${Usage} apiKey=${key} />`}
          <${Explain} apiKey=${key} />
          ${may('audit:read') && html`<${Trail} id=${key.id} workspaceId=${key.workspaceId} version=${etag} />`}
        </div>
        <div class="stack">
          ${may('alerts:read') && html`<${KeyAlerts} id=${key.id} workspaceId=${key.workspaceId} version=${etag} />`}
          <${Quotas} apiKey=${key} reload=${reload} />
          <${Strings} apiKey=${key} />
          <${Facts} apiKey=${key} />
        </div>
      </div>
    </div>
  `;
}
