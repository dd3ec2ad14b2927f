import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../action.ts';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { announce } from '../components/announce.ts';
import { Dialog } from '../components/dialog.ts';
import { Field } from '../components/field.ts';
import { Pager } from '../components/pager.ts';
import { Failure, Loaded } from '../components/states.ts';
import { Pill } from '../components/status.ts';
import { Time } from '../components/time.ts';
import { formatNumber, plural } from '../format.ts';
import { useResource } from '../resource.ts';
import { hrefOf, navigate, place } from '../router.ts';
import { may } from '../session.ts';
import { isUnbound } from '../workspace.ts';

type Workspace = Schemas['Workspace'];
type WorkspaceList = Schemas['WorkspacePage'];

export function WorkspacesPage() {
  const cursor = place.value.query.get('cursor');
  const isCreating = useSignal(false);
  const list = useResource(
    () => answerOf(api.GET('/v1/workspaces', { params: { query: cursor ? { cursor } : {} } })),
    [cursor],
  );
  return html`
    <header class="page-head">
      <div>
        <h1>Workspaces</h1>
        <p>Each has its own keys, policies and audit log.</p>
      </div>
      ${
        may('workspaces:write') &&
        isUnbound.value &&
        html`<button type="button" class="primary" onClick=${() => {
          isCreating.value = true;
        }}>Create workspace</button>`
      }
    </header>
    <${Loaded} resource=${list}>
      ${(page: WorkspaceList) => html`<${WorkspaceTable} ...${page} />`}
    <//>
    ${
      isCreating.value &&
      html`<${CreateWorkspace} onClose=${() => {
        isCreating.value = false;
      }} />`
    }
  `;
}

function WorkspaceTable({ data, nextCursor }: WorkspaceList) {
  return html`
    <div class="card">
      <div class="table-wrap">
        <table>
          <thead>
            <tr><th>Workspace</th><th>Status</th><th>Policies</th><th class="number">Active keys at most</th><th>Created</th></tr>
          </thead>
          <tbody>
            ${data.map(
              (workspace) => html`
                <tr key=${workspace.id}>
                  <td>
                    <div class="name"><a href=${hrefOf(`/workspaces/${encodeURIComponent(workspace.id)}`)}>${workspace.name ?? workspace.id}</a></div>
                    <div class="below">${workspace.id}</div>
                  </td>
                  <td><${WorkspaceStatus} status=${workspace.status} /></td>
                  <td>${policiesOf(workspace).map((text) => html`<span class="scope">${text}</span>`)}</td>
                  <td class="number">${workspace.maxActiveKeys === null ? html`<span class="soft">no limit</span>` : formatNumber(workspace.maxActiveKeys)}</td>
                  <td class="nowrap"><${Time} at=${workspace.createdAt} as="date" /></td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
      <${Pager} count=${plural(data.length, 'workspace')} nextCursor=${nextCursor} />
    </div>
  `;
}

export function WorkspaceStatus({ status }: { status: string }) {
  return status === 'active'
    ? html`<${Pill} tone="good" text="Active" />`
    : html`<${Pill} tone="bad" text="Suspended" />`;
}

function policiesOf(workspace: Workspace): string[] {
  const { requireExpiry, maxLifetimeSeconds, availableScopes, immutableKeys, apiAccess } =
    workspace;
  return [
    ...(requireExpiry ? ['expiry required'] : []),
    ...(maxLifetimeSeconds === null
      ? []
      : [`at most ${plural(Math.floor(maxLifetimeSeconds / 86_400), 'day')}`]),
    ...(availableScopes === null ? [] : [plural(availableScopes.length, 'scope')]),
    ...(workspace.requireResource ? ['resource required'] : []),
    ...(immutableKeys ? ['immutable keys'] : []),
    ...(apiAccess ? [] : ['no API access']),
  ];
}

function CreateWorkspace({ onClose }: { onClose: () => void }) {
  const id = useSignal('');
  const name = useSignal('');
  const { error, run } = useAction();
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      const body = name.value.trim() === '' ? {} : { name: name.value.trim() };
      await answerOf(
        api.PUT('/v1/workspaces/{id}', {
          params: { path: { id: id.value.trim() } },
          headers: { 'If-None-Match': '*' },
          body,
        }),
      );
      announce('The workspace was created.');
      navigate(`/workspaces/${encodeURIComponent(id.value.trim())}`);
    });
  };
  return html`
    <${Dialog} title="Create a workspace" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <${Field} label="Id" value=${id.value} isRequired hasFocus fault=${error.value?.status === 412 ? 'A workspace with this id exists already.' : error.value?.faultOf('/path/id')}
          hint="Letters, digits, dots, dashes and underscores. It cannot be changed." placeholder="acme"
          onInput=${(value: string) => {
            id.value = value;
          }} />
        <${Field} label="Name" value=${name.value} fault=${error.value?.faultOf('/body/name')} placeholder="Acme Inc."
          onInput=${(value: string) => {
            name.value = value;
          }} />
        ${error.value && error.value.status !== 412 && error.value.problem.errors.length === 0 && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="primary">Create workspace</button>
        </div>
      </form>
    <//>
  `;
}
