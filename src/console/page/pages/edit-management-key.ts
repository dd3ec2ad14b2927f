import { html } from 'htm/preact';
import { answerOf, api, done } from '../api.ts';
import type { Permission, Schemas } from '../api-types.ts';
import { announce } from '../components/announce.ts';
import { ConflictNotice } from '../components/conflict-notice.ts';
import { Dialog } from '../components/dialog.ts';
import { Field } from '../components/field.ts';
import { PermissionChecks } from '../components/permission-checks.ts';
import { SaveBar } from '../components/save-bar.ts';
import { Loaded } from '../components/states.ts';
import { changedParts } from '../conflict.ts';
import { useEditing } from '../editing.ts';
import { faultUnder } from '../faults.ts';
import { readLastChange } from '../last-change.ts';
import { useResource } from '../resource.ts';
import { refreshSession, session } from '../session.ts';
import { knownPermissions } from '../words.ts';
import { isUnbound, workspaceId } from '../workspace.ts';
import {
  type ManagementKeyForm,
  managementKeyForm,
  managementPatchOf,
  MANAGEMENT_PARTS as PARTS,
} from './management-key-form.ts';

interface ReadManagementKey {
  key: Schemas['ManagementKey'];
  etag: string;
}

interface Props {
  id: string;
  name: string;
  onClose: () => void;
  onDone: () => void;
}

export function EditManagementKey({ id, name, onClose, onDone }: Props) {
  const read = useResource(() => readManagementKey(id), [id]);
  return html`
    <${Dialog} title="Edit “${name}”" onClose=${onClose} isWide>
      <${Loaded} resource=${read}>
        ${(state: ReadManagementKey) => html`<${Form} state=${state} onClose=${onClose} onDone=${onDone} />`}
      <//>
    <//>
  `;
}

interface FormProps {
  state: ReadManagementKey;
  onClose: () => void;
  onDone: () => void;
}

function Form({ state, onClose, onDone }: FormProps) {
  const { id } = state.key;
  const { base, form, conflict, error, isBusy, save, set } = useEditing({
    state,
    parts: PARTS,
    formOf: ({ key }) => managementKeyForm(key),
    patch,
    read: () => readManagementKey(id),
    lastChange: () => readLastChange(id, isUnbound.value ? '*' : workspaceId.value),
    onChange: onDone,
  });
  const isOwn = id === session.value?.caller.id;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!(await save())) return;
    announce('The management key was changed.');
    onClose();
    if (isOwn) await refreshSession();
  };
  const { key } = base.value;
  const { name, permissions, expiresAt, maxRequestsPerSecond } = form.value;
  const fault = (field: string) => faultUnder(error.value, `/body/${field}`);
  const isRevoked = key.status === 'revoked';
  return html`
    <form class="stack" onSubmit=${submit}>
      ${isRevoked && html`<p class="notice bad" role="alert">It was revoked meanwhile, which is final.</p>`}
      ${!isRevoked && conflict.value && html`<${ConflictNotice} what="this management key" parts=${PARTS} conflict=${conflict.value} form=${form.value} set=${set} />`}
      ${isOwn && html`<p class="notice caution">You are signed in with it: what it loses, this session loses too.</p>`}
      <${Field} label="Name" value=${name} fault=${fault('name')} isRequired hasFocus onInput=${(text: string) => set({ name: text })} />
      <${PermissionChecks} offered=${knownPermissions(key.permissions)} granted=${permissions} fault=${fault('permissions')}
        hint="Permissions can be taken away, also from the management keys that it has made. More need another key."
        set=${(granted: readonly Permission[]) => set({ permissions: granted })} />
      <div class="grid-2">
        <${Field} label="Expires" type="datetime-local" value=${expiresAt} fault=${fault('expiresAt')} hint="Empty: never."
          onInput=${(text: string) => set({ expiresAt: text })} />
        <${Field} label="Calls a second at most" type="number" value=${maxRequestsPerSecond} fault=${fault('maxRequestsPerSecond')}
          hint="On each instance. Empty: no limit." onInput=${(text: string) => set({ maxRequestsPerSecond: text })} />
      </div>
      <${SaveBar} changed=${changedParts(PARTS, managementKeyForm(key), form.value)} error=${error.value} isBusy=${isBusy.value}
        hasEnded=${isRevoked} hasConflict=${conflict.value !== null} onClose=${onClose} />
    </form>
  `;
}

async function readManagementKey(id: string): Promise<ReadManagementKey> {
  const call = api.GET('/v1/management-keys/{id}', { params: { path: { id } } });
  const key = await answerOf(call);
  return { key, etag: (await call).response.headers.get('etag') ?? '*' };
}

function patch({ key, etag }: ReadManagementKey, form: ManagementKeyForm): Promise<void> {
  const params = { path: { id: key.id }, header: { 'If-Match': etag } };
  return done(
    api.PATCH('/v1/management-keys/{id}', { params, body: managementPatchOf(key, form) }),
  );
}
