import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { useAction } from '../action.ts';
import { answerOf, api, done } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { announce } from '../components/announce.ts';
import { Confirmation } from '../components/confirmation.ts';
import { Check, Field } from '../components/field.ts';
import { Failure, Loaded } from '../components/states.ts';
import { faultUnder } from '../faults.ts';
import { useResource } from '../resource.ts';
import { hrefOf, navigate } from '../router.ts';
import { may } from '../session.ts';
import { changesOf, type PolicyForm, policyForm, rebased } from './policy-form.ts';
import { DryRun } from './workspace/dry-run.ts';
import { AlertFields, IdleFields, LeakField } from './workspace/watching.ts';
import { WorkspaceStatus } from './workspaces.ts';

type Workspace = Schemas['Workspace'];

export function WorkspacePage({ id }: { id: string }) {
  const path = { id };
  const workspace = useResource(async () => {
    const call = api.GET('/v1/workspaces/{id}', { params: { path } });
    const data = await answerOf(call);
    return { data, etag: (await call).response.headers.get('etag') ?? '' };
  }, [id]);
  const { error, run } = useAction();
  const isDeleting = useSignal(false);
  const isSuspending = useSignal(false);
  const act = async (work: () => Promise<unknown>, said: string) => {
    const isDone = await run(async () => {
      await work();
    });
    if (!isDone) return;
    announce(said);
    workspace.reload();
  };
  const suspendAll = async () => {
    await answerOf(api.POST('/v1/workspaces/{id}/suspend', { params: { path } }));
    return 'Suspended: all its keys are refused.';
  };
  const resume = () => answerOf(api.POST('/v1/workspaces/{id}/resume', { params: { path } }));
  const remove = async () => {
    await done(api.DELETE('/v1/workspaces/{id}', { params: { path } }));
    return 'The workspace was deleted.';
  };
  return html`
    <${Loaded} resource=${workspace}>
      ${({ data, etag }: { data: Workspace; etag: string }) => html`
        <header class="page-head">
          <div>
            <h1>${data.name ?? data.id}</h1>
            <p class="row"><code>${data.id}</code> <${WorkspaceStatus} status=${data.status} /></p>
          </div>
          <div class="row">
            <a class="button" href=${hrefOf('/keys', { workspaceId: id })}>Its keys</a>
            ${
              may('workspaces:write') &&
              html`
                ${
                  data.status === 'active'
                    ? html`<button type="button" class="danger" onClick=${() => {
                        isSuspending.value = true;
                      }}>Suspend…</button>`
                    : html`<button type="button" onClick=${() => void act(resume, 'Resumed.')}>Resume</button>`
                }
                <button type="button" class="danger" onClick=${() => {
                  isDeleting.value = true;
                }}>Delete…</button>
              `
            }
          </div>
        </header>
        ${error.value && html`<${Failure} error=${error.value} />`}
        <${Policies} key=${data.id} workspace=${data} etag=${etag} reload=${workspace.reload} />
        ${
          isSuspending.value &&
          html`
            <${Confirmation} title="Suspend workspace ${data.id}" verb="Suspend" isDanger call=${suspendAll} onDone=${workspace.reload}
              onClose=${() => {
                isSuspending.value = false;
              }}>
              <p>All its keys are refused at once, until it is resumed.</p>
            <//>
          `
        }
        ${
          isDeleting.value &&
          html`
            <${Confirmation} title="Delete workspace ${data.id}" word=${data.id} verb="Delete" isDanger call=${remove}
              onDone=${() => navigate('/workspaces')}
              onClose=${() => {
                isDeleting.value = false;
              }}>
              <p>All its keys and management keys end at once and for ever. Its audit log stays.</p>
            <//>
          `
        }
      `}
    <//>
  `;
}

interface PoliciesProps {
  workspace: Workspace;
  etag: string;
  reload: () => void;
}

function Policies({ workspace, etag, reload }: PoliciesProps) {
  const form = useSignal<PolicyForm>(policyForm(workspace));
  const base = useRef(form.value);
  useEffect(() => {
    const fresh = policyForm(workspace);
    form.value = rebased(base.current, form.value, fresh);
    base.current = fresh;
  }, [etag]);
  const { error, isBusy, run } = useAction();
  const isOutdated = error.value?.status === 412;
  const isReadOnly = !may('workspaces:write');
  const set = (changes: Partial<PolicyForm>) => {
    form.value = { ...form.value, ...changes };
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    const isSaved = await run(async () => {
      await answerOf(
        api.PATCH('/v1/workspaces/{id}', {
          params: { path: { id: workspace.id } },
          headers: { 'If-Match': etag },
          body: changesOf(base.current, form.value),
        }),
      );
    });
    if (isSaved) announce('Saved.');
    // Also where somebody else was first: what was typed stays, on top of what is there now.
    if (isSaved || error.value?.status === 412) reload();
  };
  const fault = (name: string) => error.value?.faultOf(`/body/${name}`);
  const fields = { form: form.value, set, error: error.value, isReadOnly };
  const number = (
    name: 'maxActiveKeys' | 'maxKeys' | 'maxLifetimeDays' | 'maxRequestsPerSecond',
    label: string,
    hint: string,
  ) => html`
    <${Field} label=${label} type="number" hint=${hint} value=${form.value[name]}
      fault=${fault(name === 'maxLifetimeDays' ? 'maxLifetimeSeconds' : name)}
      onInput=${(value: string) => set({ [name]: value })} />
  `;
  const check = (
    name: 'requireExpiry' | 'requireResource' | 'immutableKeys' | 'apiAccess',
    label: string,
  ) => html`
    <${Check} label=${label} isChecked=${form.value[name]} onChange=${(is: boolean) => set({ [name]: is })} />
  `;
  return html`
    <form class="card padded stack" onSubmit=${submit}>
      <h2>Policies</h2>
      <fieldset class="field stack" disabled=${isReadOnly}>
        <legend class="visually-hidden">Policies</legend>
        <div class="grid-2">
          <${Field} label="Name" value=${form.value.name} fault=${fault('name')} onInput=${(name: string) => set({ name })} />
          <${Field} label="Prefix of new keys" value=${form.value.defaultPrefix} fault=${fault('defaultPrefix')} onInput=${(defaultPrefix: string) => set({ defaultPrefix })} />
          ${number('maxLifetimeDays', 'Longest lifetime of a key, in days', 'Empty: no limit.')}
          ${number('maxActiveKeys', 'Active keys at most', 'Empty: no limit.')}
          ${number('maxKeys', 'Keys at most, ended ones included', 'Empty: no limit.')}
          ${number('maxRequestsPerSecond', 'Calls a second at most', 'Of its management keys, on each instance. Empty: no limit.')}
        </div>
        ${check('requireExpiry', 'Every key needs an expiry')}
        ${check('requireResource', 'Every verification names a resource')}
        ${check('immutableKeys', 'Keys cannot be changed after their creation')}
        ${check('apiAccess', 'Keys are accepted')}
        <${Field} label="Scopes that keys may have" rows=${5} value=${form.value.scopes} fault=${faultUnder(error.value, '/body/availableScopes')}
          hint="One a line: scope, title, description, separated by | . Empty: every scope."
          placeholder="orders:read | Read orders | List and read all orders."
          onInput=${(scopes: string) => set({ scopes })} />
      </fieldset>
      <${IdleFields} ...${fields} />
      ${may('keys:read') && html`<${DryRun} workspaceId=${workspace.id} form=${form.value} />`}
      <${AlertFields} ...${fields} />
      <${LeakField} ...${fields} />
      ${isOutdated && html`<p class="notice caution" role="alert">The workspace has changed meanwhile. What you have typed is kept: look at it, then save again.</p>`}
      ${error.value && !isOutdated && html`<${Failure} error=${error.value} />`}
      ${!isReadOnly && html`<div class="actions"><button class="primary" disabled=${isBusy.value}>Save</button></div>`}
    </form>
  `;
}
