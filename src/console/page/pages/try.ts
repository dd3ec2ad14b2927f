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
import { isUnbound, workspaceId } from '../workspace.ts';

type Answer = Schemas['VerifyAnswer'];

/** What each verdict means, for people. */
const MEANINGS: Record<string, string> = {
  VALID: 'The request may go on.',
  NOT_FOUND: 'No key has this string: it was mistyped, has ended, or belongs to another workspace.',
  REVOKED: 'The key was revoked, for ever.',
  WORKSPACE_SUSPENDED: 'The workspace of the key is suspended.',
  DISABLED: 'The key is switched off.',
  NOT_YET_VALID: 'The key is not valid yet.',
  EXPIRED: 'The key has expired.',
  IP_NOT_ALLOWED: 'The key is not accepted from this address.',
  INSUFFICIENT_SCOPE: 'The key lacks a scope that was asked for.',
  RESOURCE_NOT_ALLOWED: 'The key may not touch this resource.',
  RATE_LIMITED: 'The key has used up its rate limit for now.',
  CREDITS_EXHAUSTED: 'The key has no credits left.',
};

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
      <div class="row"><${Pill} tone=${valid ? 'good' : 'bad'} text=${code} /></div>
      <p>${MEANINGS[code] ?? 'Treat a verdict that you do not know as not valid.'}</p>
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
