import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../action.ts';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { Field } from '../components/field.ts';
import { Failure } from '../components/states.ts';
import { Pill } from '../components/status.ts';
import { faultUnder } from '../faults.ts';
import { formatTime } from '../format.ts';
import { hrefOf } from '../router.ts';
import { may } from '../session.ts';
import { verdictMeaning, verdictText } from '../words.ts';
import { isUnbound, workspaceId } from '../workspace.ts';

type Answer = Schemas['VerifyAnswer'];

/** Verifies a key as a service would. It costs nothing of the key's limits, and is counted. */
export function TryPage() {
  const key = useSignal('');
  const scopes = useSignal('');
  const ip = useSignal('');
  const answer = useSignal<Answer | null>(null);
  const { error, run } = useAction();
  const submit = async (event: Event) => {
    event.preventDefault();
    answer.value = null;
    const requiredScopes = scopes.value.split(/[\s,]+/).filter((scope) => scope !== '');
    await run(async () => {
      answer.value = await answerOf(
        api.POST('/v1/verify', {
          body: {
            key: key.value.trim(),
            cost: 0,
            ...(isUnbound.value ? {} : { workspaceId: workspaceId.value }),
            ...(requiredScopes.length > 0 && { requiredScopes }),
            ...(ip.value.trim() !== '' && { ip: ip.value.trim() }),
          },
        }),
      );
    });
    key.value = '';
  };
  const fault = (name: string) => error.value?.faultOf(`/body/${name}`);
  return html`
    <header class="page-head">
      <div>
        <h1>Try a key</h1>
        <p>Paste a key to see what a service that asks about it is told.</p>
      </div>
    </header>
    <div class="columns">
      <form class="card padded stack" onSubmit=${submit}>
        <${Field} label="Key" type="password" value=${key.value} fault=${fault('key')} isRequired hasFocus
          hint="It is sent to Keyward alone, and forgotten. It counts as a use; limits and credits are neither spent nor asked." onInput=${(
            value: string,
          ) => {
            key.value = value;
          }} />
        <${Field} label="Required scopes" value=${scopes.value} fault=${faultUnder(error.value, '/body/requiredScopes')}
          placeholder="orders:read" onInput=${(value: string) => {
            scopes.value = value;
          }} />
        <${Field} label="Address of the client" value=${ip.value} fault=${fault('ip')} placeholder="203.0.113.7"
          onInput=${(value: string) => {
            ip.value = value;
          }} />
        <div class="actions"><button class="primary">Verify</button></div>
      </form>
      <div class="stack" aria-live="polite">
        ${error.value && error.value.problem.errors.length === 0 && html`<${Failure} error=${error.value} />`}
        ${answer.value && html`<${Verdict} ...${answer.value} />`}
      </div>
    </div>
  `;
}

function Verdict(answer: Answer) {
  const { valid, code, keyId, name, ownerId, scopes, expiresAt } = answer;
  const missingScopes = answer.missingScopes ?? [];
  return html`
    <div class="card padded stack">
      <div class="row"><${Pill} tone=${valid ? 'good' : 'bad'} text=${verdictText(code)} /><code>${code}</code></div>
      <p>${verdictMeaning(code)}</p>
      ${
        keyId &&
        html`
          <dl class="facts">
            <dt>Key</dt>
            <dd>${may('keys:read') ? html`<a href=${hrefOf(`/keys/${keyId}`, { workspaceId: answer.workspaceId })}>${name}</a>` : name}</dd>
            <dt>Workspace</dt><dd>${answer.workspaceId}</dd>
            <dt>Owner</dt><dd>${ownerId ?? 'none'}</dd>
            <dt>Scopes</dt><dd>${(scopes ?? []).map((scope) => html`<span class="scope">${scope}</span>`)}</dd>
            ${missingScopes.length > 0 && html`<dt>Missing</dt><dd>${missingScopes.map((scope) => html`<span class="scope">${scope}</span>`)}</dd>`}
            <dt>Expires</dt><dd>${expiresAt ? formatTime(expiresAt) : 'never'}</dd>
          </dl>
        `
      }
    </div>
  `;
}
