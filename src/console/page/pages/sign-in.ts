import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { Brand } from '../components/brand.ts';
import { Dialog } from '../components/dialog.ts';
import { Field } from '../components/field.ts';
import { type Refusal, session, signIn, signInNotice } from '../session.ts';

/** The whole page, until somebody is signed in. */
export function SignInPage() {
  return html`
    <main class="sign-in">
      <div class="stack">
        <div class="row"><${Brand} /><h1>Keyward</h1></div>
        <p class="soft">Sign in with a management key. It stays in a cookie that no script can read.</p>
        ${signInNotice.value && html`<p class="notice caution" role="alert">${signInNotice}</p>`}
        <${SignInForm} actor="" />
      </div>
    </main>
  `;
}

/** Over the page whose session has ended: what was typed there is still there afterwards. */
export function SignInDialog() {
  return html`
    <${Dialog} title="Your session has ended" onClose=${() => {}} isLocked>
      <p class="soft">Sign in again to go on. Nothing that you have typed is lost.</p>
      <${SignInForm} actor=${session.value?.actor ?? ''} />
    <//>
  `;
}

/** What a header can carry. */
const ACTOR = /^[\x20-\x7e]{0,128}$/;

function SignInForm({ actor: former }: { actor: string }) {
  const key = useSignal('');
  const actor = useSignal(former);
  const fault = useSignal<Refusal | null>(null);
  const isBusy = useSignal(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    const name = actor.value.trim();
    if (!ACTOR.test(name)) {
      fault.value = {
        field: 'actor',
        detail: 'Use letters without accents, digits and signs only.',
      };
      return;
    }
    isBusy.value = true;
    fault.value = await signIn(key.value.trim(), actor.value.trim()).catch(() => ({
      field: 'key' as const,
      detail: 'Keyward was not reached. Check that it runs, then try again.',
    }));
    isBusy.value = false;
    if (!fault.value) key.value = '';
  };
  return html`
    <form class="card padded stack" onSubmit=${submit}>
      <${Field}
        label="Management key"
        type="password"
        value=${key.value}
        onInput=${(value: string) => {
          key.value = value;
        }}
        fault=${fault.value?.field === 'key' ? fault.value.detail : undefined}
        autocomplete="current-password"
        isRequired
        hasFocus
      />
      <${Field}
        label="Your name or address"
        hint="The audit log names you beside the key, as you say it."
        fault=${fault.value?.field === 'actor' ? fault.value.detail : undefined}
        value=${actor.value}
        onInput=${(value: string) => {
          actor.value = value;
        }}
        autocomplete="email"
        placeholder="ada@example.com"
      />
      <div class="actions">
        <button class="primary" disabled=${isBusy.value}>${isBusy.value ? 'Signing in…' : 'Sign in'}</button>
      </div>
    </form>
  `;
}
