import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { Confirmation } from '../components/confirmation.ts';
import { OneTimeKey } from '../components/one-time-key.ts';
import { Pager } from '../components/pager.ts';
import { Empty, Loaded } from '../components/states.ts';
import { Pill } from '../components/status.ts';
import { Time } from '../components/time.ts';
import { plural } from '../format.ts';
import { useResource } from '../resource.ts';
import { place } from '../router.ts';
import { may, session } from '../session.ts';
import { isUnbound, workspaceId } from '../workspace.ts';
import { CreateManagementKey } from './create-management-key.ts';
import { LostString } from './creation.ts';
import { EditManagementKey } from './edit-management-key.ts';

type ManagementKey = Schemas['ManagementKey'];
type ManagementKeyList = Schemas['ManagementKeyPage'];

const DAY_SECONDS = 86_400;

type Action = 'edit' | 'rotate' | 'revoke';

export function ManagementKeysPage() {
  const cursor = place.value.query.get('cursor');
  const isCreating = useSignal(false);
  const issued = useSignal<string | null>(null);
  const list = useResource(
    () =>
      answerOf(
        api.GET('/v1/management-keys', {
          params: {
            query: {
              workspaceId: isUnbound.value ? '*' : workspaceId.value,
              ...(cursor && { cursor }),
            },
          },
        }),
      ),
    [workspaceId.value, cursor],
  );
  const close = () => {
    issued.value = null;
    list.reload();
  };
  return html`
    <header class="page-head">
      <div>
        <h1>Management keys</h1>
        <p>What services and people call Keyward itself with.</p>
      </div>
      ${
        may('management:write') &&
        html`<button type="button" class="primary" onClick=${() => {
          isCreating.value = true;
        }}>Create management key</button>`
      }
    </header>
    <${Loaded} resource=${list}>
      ${(page: ManagementKeyList) =>
        page.data.length === 0
          ? html`<div class="card"><${Empty} title="No management keys"><p>The root key is none of them: give each service one of its own.</p><//></div>`
          : html`<${Table} ...${page} reload=${list.reload} onIssued=${(key: string) => {
              issued.value = key;
            }} />`}
    <//>
    ${
      isCreating.value &&
      html`
        <${CreateManagementKey}
          onClose=${() => {
            isCreating.value = false;
          }}
          onIssued=${(key: string) => {
            isCreating.value = false;
            issued.value = key;
          }}
        />
      `
    }
    ${issued.value && html`<${OneTimeKey} value=${issued.value} onClose=${close} />`}
    ${issued.value === '' && html`<${LostString} onClose=${close} />`}
  `;
}

interface TableProps extends ManagementKeyList {
  reload: () => void;
  onIssued: (key: string) => void;
}

function Table({ data, nextCursor, reload, onIssued }: TableProps) {
  const asked = useSignal<{ what: Action; key: ManagementKey } | null>(null);
  const close = () => {
    asked.value = null;
  };
  const ask = (what: Action, key: ManagementKey) => () => {
    asked.value = { what, key };
  };
  const revoke = async (id: string) => {
    const { alsoRevoked } = await answerOf(
      api.POST('/v1/management-keys/{id}/revoke', { params: { path: { id } }, body: {} }),
    );
    return `Revoked, and ${plural(alsoRevoked.length, 'key')} that it had made.`;
  };
  const rotate = async (id: string) => {
    const { key } = await answerOf(
      api.POST('/v1/management-keys/{id}/rotate', {
        params: { path: { id } },
        body: { graceSeconds: DAY_SECONDS },
      }),
    );
    onIssued(key ?? '');
    return 'The management key was rotated.';
  };
  const { what, key: target } = asked.value ?? {};
  return html`
    <div class="card">
      <div class="table-wrap">
        <table>
          <thead>
            <tr><th>Name</th><th>Workspace</th><th>May</th><th>Status</th><th>Last used</th><th>Expires</th><th><span class="visually-hidden">Actions</span></th></tr>
          </thead>
          <tbody>
            ${data.map(
              (key) => html`
                <tr key=${key.id}>
                  <td><div class="name">${key.name}</div><div class="below">${key.start}</div></td>
                  <td>${key.workspaceId ?? html`<span class="soft">every</span>`}</td>
                  <td>${key.permissions.map((one) => html`<span class="scope">${one}</span>`)}</td>
                  <td><${Status} ...${key} /></td>
                  <td class="nowrap"><${Time} at=${key.lastUsedAt} none="Never" /></td>
                  <td class="nowrap"><${Time} at=${key.expiresAt} none="Never" as="date" /></td>
                  <td class="nowrap"><${Actions} of=${key} ask=${ask} /></td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
      <${Pager} count=${plural(data.length, 'management key')} nextCursor=${nextCursor} />
    </div>
    ${
      what === 'revoke' &&
      target &&
      html`
        <${Confirmation} title="Revoke ${target.name}" word=${target.lastUsedAt ? target.name : null} verb="Revoke" isDanger
          call=${() => revoke(target.id)} onDone=${reload} onClose=${close}>
          <p>It ends at once on every instance, and so does every management key that it has made.</p>
          ${target.id === session.value?.caller.id && html`<p class="notice bad">You are signed in with it: this session ends too.</p>`}
          ${target.lastUsedAt && html`<p class="notice caution">It was used <${Time} at=${target.lastUsedAt} />.</p>`}
        <//>
      `
    }
    ${
      what === 'edit' &&
      target &&
      html`<${EditManagementKey} id=${target.id} name=${target.name} onClose=${close} onDone=${reload} />`
    }
    ${
      what === 'rotate' &&
      target &&
      html`
        <${Confirmation} title="Rotate ${target.name}" verb="Rotate" call=${() => rotate(target.id)} onClose=${close}>
          <p>You get a new string. The old one stays valid for a day.</p>
        <//>
      `
    }
  `;
}

interface ActionsProps {
  of: ManagementKey;
  ask: (what: Action, key: ManagementKey) => () => void;
}

/** One that has expired can still be extended. */
function Actions({ of: key, ask }: ActionsProps) {
  if (!may('management:write') || key.status === 'revoked') return null;
  const button = (what: Action, verb: string, tone = '') => html`
    <button type="button" class="plain ${tone}" aria-label=${`${verb} ${key.name}`} onClick=${ask(what, key)}>${verb}</button>
  `;
  return html`
    ${button('edit', 'Edit')}
    ${key.status === 'active' && button('rotate', 'Rotate')}
    ${key.status === 'active' && button('revoke', 'Revoke', 'danger')}
  `;
}

function Status({ status, retiringUntil }: ManagementKey) {
  if (status === 'revoked') return html`<${Pill} tone="bad" text="Revoked" />`;
  if (status === 'expired') return html`<${Pill} tone="bad" text="Expired" />`;
  if (retiringUntil) return html`<${Pill} tone="caution" text="Rotating" />`;
  return html`<${Pill} tone="good" text="Active" />`;
}
