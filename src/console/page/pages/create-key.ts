import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect } from 'preact/hooks';
import { useAction } from '../action.ts';
import { type ApiError, answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { announce } from '../components/announce.ts';
import { CopyButton } from '../components/copy.ts';
import { Check, Choice, Field } from '../components/field.ts';
import { OneTimeKey } from '../components/one-time-key.ts';
import { Failure } from '../components/states.ts';
import { WorkspaceName } from '../components/workspace-name.ts';
import { faultUnder } from '../faults.ts';
import { formatTime, formatUtc, plural } from '../format.ts';
import { useResource } from '../resource.ts';
import { hrefOf, navigate } from '../router.ts';
import { may } from '../session.ts';
import { isEvery, workspaceId } from '../workspace.ts';
import { ChooseWorkspace } from './choose-workspace.ts';
import { LostString, useCreation } from './creation.ts';
import { EXPIRIES, emptyKeyForm, expiryOf, type KeyForm, requestOf } from './key-form.ts';

type Workspace = Schemas['Workspace'];

/** Below the fold of the form, which opens where one of them has a fault. */
const LIMIT_FIELDS = ['rateLimits', 'credits', 'allowedIps', 'description'];

export function CreateKeyPage() {
  return html`
    <header class="page-head">
      <div>
        <h1>Create a key</h1>
        <p><${WorkspaceName} /></p>
      </div>
    </header>
    ${isEvery.value ? html`<${ChooseWorkspace} />` : html`<${Creation} />`}
  `;
}

function Creation() {
  const form = useSignal<KeyForm>(emptyKeyForm());
  const { error, isBusy, run } = useAction();
  const create = useCreation();
  const issued = useSignal<{ id: string; key: string | null } | null>(null);
  const workspace = useResource(
    async () => (may('workspaces:read') ? readWorkspace(workspaceId.value) : null),
    [workspaceId.value],
  );
  const set = (changes: Partial<KeyForm>) => {
    form.value = { ...form.value, ...changes };
  };
  const request = requestOf(form.value, workspaceId.value);
  const submit = async (event: Event) => {
    event.preventDefault();
    await run(async () => {
      issued.value = await create(requestOf(form.value, workspaceId.value));
      announce('The key was created.');
    });
  };
  const close = () => {
    const { id } = issued.value ?? {};
    issued.value = null;
    navigate(`/keys/${id}`, { workspaceId: workspaceId.value }, { replace: true });
  };
  const fault = (name: string) => faultUnder(error.value, `/body/${name}`);
  const isFieldFault = error.value !== null && error.value.problem.errors.length > 0;
  return html`
    <form class="columns" onSubmit=${submit}>
      <div class="card padded stack">
        <${Field} label="Name" value=${form.value.name} fault=${fault('name')} isRequired hasFocus
          hint="For people: what uses the key, and where." placeholder="CI deploys"
          onInput=${(name: string) => set({ name })} />
        <${Field} label="Owner" value=${form.value.ownerId} fault=${fault('ownerId')}
          hint="Whom it belongs to in your system. Services that verify the key are told." placeholder="customer_42"
          onInput=${(ownerId: string) => set({ ownerId })} />
        <${ScopeField} form=${form.value} set=${set} workspace=${workspace.data} fault=${error.value} />
        <${ExpiryField} form=${form.value} set=${set} workspace=${workspace.data} fault=${fault('expiresAt')} />
        <details open=${LIMIT_FIELDS.some((name) => fault(name)) || undefined}>
          <summary>Limits, credits and addresses</summary>
          <div class="stack">
            <div class="grid-2">
              <${Field} label="Requests" type="number" value=${form.value.limit} fault=${fault('rateLimits/0/limit')}
                hint="Empty: no rate limit." onInput=${(limit: string) => set({ limit })} />
              <${Choice} label="In each" value=${form.value.window} onInput=${(window: string) => set({ window })}
                options=${[['1', 'second'], ['60', 'minute'], ['3600', 'hour'], ['86400', 'day']]} />
            </div>
            <${Field} label="Credits" type="number" value=${form.value.credits} fault=${fault('credits/remaining')}
              hint="Each verification costs one. Empty: not limited." onInput=${(credits: string) => set({ credits })} />
            <${Field} label="Allowed addresses" rows=${3} value=${form.value.allowedIps} fault=${fault('allowedIps')}
              hint="Addresses or CIDR ranges, one a line. Empty: every address." placeholder="203.0.113.0/24"
              onInput=${(allowedIps: string) => set({ allowedIps })} />
            <${Field} label="Description" rows=${2} value=${form.value.description} fault=${fault('description')}
              onInput=${(description: string) => set({ description })} />
          </div>
        </details>
        ${error.value && !isFieldFault && html`<${Failure} error=${error.value} />`}
        ${isFieldFault && html`<p class="notice bad" role="alert">Nothing was created: ${plural(error.value?.problem.errors.length ?? 0, 'field')} to correct.</p>`}
      </div>
      <div class="stack">
        <div class="card padded stack">
          <h2>Summary</h2>
          <${Summary} form=${form.value} />
          <div class="actions">
            <a class="button" href=${hrefOf('/keys', { workspaceId: workspaceId.value })}>Cancel</a>
            <button class="primary" disabled=${isBusy.value}>${isBusy.value ? 'Creating…' : 'Create key'}</button>
          </div>
        </div>
        <${AsCurl} request=${request} />
      </div>
    </form>
    ${issued.value?.key && html`<${OneTimeKey} value=${issued.value.key} onClose=${close} />`}
    ${issued.value && issued.value.key === null && html`<${LostString} onClose=${close} />`}
  `;
}

function readWorkspace(id: string): Promise<Workspace> {
  return answerOf(api.GET('/v1/workspaces/{id}', { params: { path: { id } } }));
}

interface PartProps {
  form: KeyForm;
  set: (changes: Partial<KeyForm>) => void;
  workspace: Workspace | null;
}

/** Scopes of the workspace's catalogue, with what they mean; else what is typed. */
function ScopeField({ form, set, workspace, fault }: PartProps & { fault: ApiError | null }) {
  const detail = faultUnder(fault, '/body/scopes');
  const catalogue = workspace?.availableScopes ?? null;
  if (catalogue === null) {
    return html`
      <${Field} label="Scopes" rows=${2} value=${form.scopes} fault=${detail}
        hint="Separated by spaces, such as orders:read or orders:*." placeholder="orders:read"
        onInput=${(scopes: string) => set({ scopes })} />
    `;
  }
  const chosen = new Set(form.scopes.split(/[\s,]+/).filter((scope) => scope !== ''));
  const toggle = (scope: string, isChosen: boolean) => {
    if (isChosen) chosen.add(scope);
    else chosen.delete(scope);
    set({ scopes: [...chosen].join(' ') });
  };
  return html`
    <fieldset class="field">
      <legend>Scopes</legend>
      ${catalogue.map(
        ({ scope, title, description }) => html`
        <${Check} isChecked=${chosen.has(scope)} onChange=${(is: boolean) => toggle(scope, is)}
          label=${html`<b>${title}</b> <span class="scope">${scope}</span><br /><span class="soft">${description}</span>`} />
      `,
      )}
      ${detail && html`<div class="fault" role="alert">${detail}</div>`}
    </fieldset>
  `;
}

function ExpiryField({ form, set, workspace, fault }: PartProps & { fault: string | undefined }) {
  const maxSeconds = workspace?.maxLifetimeSeconds ?? Number.POSITIVE_INFINITY;
  const isNeeded = workspace?.requireExpiry || Number.isFinite(maxSeconds);
  const options = EXPIRIES.filter(({ days }) =>
    days === null ? !isNeeded : days * 86_400 <= maxSeconds,
  ).map(({ value, text }) => [value, text] as const);
  const [first] = options;
  const isOffered = form.expiry === 'custom' || options.some(([value]) => value === form.expiry);
  useEffect(() => {
    if (!isOffered && first) set({ expiry: first[0] });
  }, [isOffered]);
  const at = expiryOf(form);
  const hint = at
    ? html`Until <time datetime=${at} title=${formatUtc(at)}>${formatTime(at)}</time>.`
    : 'The key is valid until it is revoked.';
  return html`
    <div class="grid-2">
      <${Choice} label="Expires" value=${form.expiry} hint=${hint} fault=${fault}
        options=${[...options, ['custom', 'At a time of my own']]}
        onInput=${(expiry: string) => set({ expiry })} />
      ${
        form.expiry === 'custom' &&
        html`
        <${Field} label="At" type="datetime-local" value=${form.expiresAt} onInput=${(expiresAt: string) => set({ expiresAt })} isRequired />
      `
      }
    </div>
    ${Number.isFinite(maxSeconds) && html`<p class="soft">The workspace allows at most ${plural(Math.floor(maxSeconds / 86_400), 'day')}.</p>`}
  `;
}

function Summary({ form }: { form: KeyForm }) {
  const scopes = form.scopes.split(/[\s,]+/).filter((scope) => scope !== '');
  const at = expiryOf(form);
  return html`
    <dl class="facts">
      <dt>May do</dt>
      <dd>${scopes.length > 0 ? scopes.map((scope) => html`<span class="scope">${scope}</span>`) : 'only what needs no scope'}</dd>
      <dt>Until</dt>
      <dd>${at ? formatTime(at) : 'revoked'}</dd>
      <dt>At most</dt>
      <dd>${form.limit ? `${form.limit} requests in ${form.window} s` : 'no limit on requests'}${form.credits ? `, ${form.credits} credits` : ''}</dd>
      <dt>From</dt>
      <dd>${form.allowedIps.trim() || 'every address'}</dd>
    </dl>
  `;
}

/** The call that the button makes, for those who will automate it. */
function AsCurl({ request }: { request: object }) {
  const text = `curl ${location.origin}/v1/keys \\
  -H "Authorization: Bearer $MANAGEMENT_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '${JSON.stringify(request, null, 2).replaceAll("'", "'\\''")}'`;
  return html`
    <details class="card padded">
      <summary>The same with curl</summary>
      <div class="stack">
        <pre>${text}</pre>
        <div class="actions"><${CopyButton} text=${text} /></div>
      </div>
    </details>
  `;
}
