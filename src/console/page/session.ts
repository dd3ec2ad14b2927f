import { signal } from '@preact/signals';
import type { Permission } from './api-types.ts';

const KEEP_ALIVE_MS = 5 * 60_000;
/** Named before the page knows its session. */
const ANY_SESSION = 'session';
/** Since the last call that kept the session. */
let isUsed = false;

export interface Session {
  /** Named in each call, so that a page never acts in the session of somebody else. */
  id: string;
  caller: {
    type: 'root' | 'management_key';
    id: string;
    workspaceId: string | null;
    permissions: Permission[];
    suspended: boolean;
  };
  actor: string | null;
  endsAt: string;
}

/** Null: nobody is signed in. */
export const session = signal<Session | null>(null);
/** Whether a session ended while its page was open: the page stays, and waits for the next one. */
export const hasExpired = signal(false);

/** Whether the signed-in key may do something; what it may not is not offered. */
export function may(permission: Permission): boolean {
  const { caller } = session.value ?? {};
  if (!caller?.permissions.includes(permission)) return false;
  return !caller.suspended || permission.endsWith(':read');
}

/** The session of before, or that of a link which signs in once. */
export async function startSession(): Promise<void> {
  for (const name of ['pointerdown', 'keydown']) {
    addEventListener(name, () => {
      isUsed = true;
    });
  }
  setInterval(() => void keepAlive(), KEEP_ALIVE_MS);
  const link = location.hash.slice(1);
  if (link !== '') {
    // In no history, and in no copy of the address.
    history.replaceState(history.state, '', location.pathname + location.search);
    if ((await signInWith({ 'Keyward-Console-Link': link })) !== null) {
      signInNotice.value =
        'This link was used before, or is too old. Sign in with a management key.';
    }
  }
  const response = await ask('GET');
  if (response.ok) session.value = await response.json();
  else if (response.status !== 401) {
    signInNotice.value = 'Keyward cannot be asked at the moment. Try again in a minute.';
  }
}

/** Why somebody was not signed in, and which field says so. */
export interface Refusal {
  field: 'key' | 'actor';
  detail: string;
}

/** What the sign-in page tells at first. */
export const signInNotice = signal('');

/** Null, or why not. */
export function signIn(key: string, actor: string): Promise<Refusal | null> {
  const named: Record<string, string> = actor === '' ? {} : { 'Keyward-Actor': actor };
  return signInWith({ Authorization: `Bearer ${key}`, ...named });
}

/** Whether it was done. */
export async function signOut(): Promise<boolean> {
  const response = await ask('DELETE').catch(() => null);
  if (!response?.ok) return false;
  location.assign('/console');
  return true;
}

/** A call was refused because the session is over. */
export function expire(): void {
  if (session.value) hasExpired.value = true;
}

async function signInWith(headers: Record<string, string>): Promise<Refusal | null> {
  const response = await ask('POST', headers);
  const body = await response.json();
  if (!response.ok) {
    if (response.status === 401) {
      return { field: 'key', detail: 'This is no management key, or one that has ended.' };
    }
    const [fault] = body.errors ?? [];
    const isActor = fault?.pointer === '/headers/keyward-actor';
    return { field: isActor ? 'actor' : 'key', detail: fault?.detail ?? body.detail };
  }
  session.value = body;
  hasExpired.value = false;
  return null;
}

/** A page that nobody touches does not keep its session. */
async function keepAlive(): Promise<void> {
  if (!session.value || hasExpired.value || !isUsed) return;
  isUsed = false;
  await refreshSession().catch(() => {});
}

/** What the signed-in key may do can change while a page is open. */
export async function refreshSession(): Promise<void> {
  const response = await ask('GET', { 'Keyward-Console': session.value?.id ?? ANY_SESSION });
  if (response.ok) session.value = await response.json();
  else if (response.status === 401) expire();
}

function ask(method: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch('/console/session', {
    method,
    headers: { 'Keyward-Console': ANY_SESSION, ...headers },
  });
}
