import type { Instance } from './instance.ts';
import { verdict } from './sql-keys.ts';

const ATTEMPTS = 10;

/**
 * Asks until an answer loads nothing, and returns that answer: from here on only an eviction makes
 * a later one fresh. One question is not enough: a fence that names the key during its load keeps
 * the state from being held.
 */
export async function warmAnswer<T>(
  states: { readonly loads: number },
  ask: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { loads } = states;
    const answer = await ask();
    if (states.loads === loads) return answer;
  }
  throw new Error(`${ATTEMPTS} questions in a row were answered by a load, none from memory`);
}

/** Makes a key warm on each instance: VALID there, and its next verification loads nothing. */
export function warmKey(key: string, ...instances: Instance[]): Promise<void> {
  return warmVerdict('VALID', key, instances);
}

/** Makes a string that is no key yet warm on each instance: known there to be none. */
export function warmUnknown(key: string, ...instances: Instance[]): Promise<void> {
  return warmVerdict('NOT_FOUND', key, instances);
}

async function warmVerdict(expected: string, key: string, instances: readonly Instance[]) {
  for (const instance of instances) {
    const code = await warmAnswer(instance.service.internals.cache, () => verdict(instance, key));
    if (code !== expected) throw new Error(`${code} instead of ${expected} before any change`);
  }
}

/** Makes a management key warm on each instance: let in there, and its next call loads nothing. */
export async function warmManagementKey(key: string, ...instances: Instance[]): Promise<void> {
  for (const instance of instances) {
    const enter = () => instance.call('GET', '/v1/whoami', { as: key });
    const { status } = await warmAnswer(instance.service.internals.cache, enter);
    if (status !== 200) throw new Error(`a management key gets ${status} before any change`);
  }
}
