import type { ChangeCall, ChangedFields, Entry, Limit, Verification } from '../history.ts';
import { type Effect, effectsOf, inOrder } from './effects.ts';
import { Register } from './register.ts';

/** The state of a string. `retiring` ends between the two times, in epoch milliseconds. */
export type StringState =
  | { is: 'current' }
  | { is: 'retired' }
  | { is: 'retiring'; until: readonly [number, number] };

export interface ModelKey {
  id: string;
  workspaceId: string;
  /** The call that created it. */
  made: ChangeCall;
  revoked: Register<boolean>;
  deleted: Register<boolean>;
  enabled: Register<boolean>;
  scopes: Register<string[]>;
  resources: Register<string[] | null>;
  allowedIps: Register<string[] | null>;
  expiresAt: Register<number | null>;
  limit: Register<Limit | null>;
  effects: Effect[];
}

interface ModelString {
  key: ModelKey;
  state: Register<StringState>;
}

/**
 * What may have been true at what time of keys, their strings and workspaces, by the changes of a
 * history.
 */
export class Model {
  readonly keys = new Map<string, ModelKey>();
  /** By ref. */
  readonly strings = new Map<string, ModelString>();
  readonly suspended = new Map<string, Register<boolean>>();
  readonly effects: readonly Effect[];

  constructor(history: readonly Entry[]) {
    this.effects = inOrder(effectsOf(history));
    for (const effect of this.effects) if (isCreation(effect)) this.#create(effect);
    for (const effect of this.effects) this.#apply(effect);
    for (const key of this.keys.values()) this.#replayRotations(key);
    for (const entry of history) if (entry.type === 'verify') this.#applyObservation(entry);
  }

  suspension(workspaceId: string): Register<boolean> {
    let register = this.suspended.get(workspaceId);
    if (!register) {
      register = new Register();
      register.write({ ...ALWAYS, value: false });
      this.suspended.set(workspaceId, register);
    }
    return register;
  }

  #create(effect: Effect): void {
    const { call, target } = effect;
    const key: ModelKey = {
      id: target,
      workspaceId: call.workspaceId,
      made: call,
      revoked: new Register(),
      deleted: new Register(),
      enabled: new Register(),
      scopes: new Register(),
      resources: new Register(),
      allowedIps: new Register(),
      expiresAt: new Register(),
      limit: new Register(),
      effects: [],
    };
    key.revoked.write({ ...ALWAYS, value: false });
    key.deleted.write({ ...ALWAYS, value: false });
    writeTerms(key, effect, { ...NEW_KEY, ...call.changed });
    this.keys.set(target, key);
  }

  #apply(effect: Effect): void {
    const { call, target } = effect;
    if (call.op === 'suspend' || call.op === 'resume') {
      this.suspension(target).write(writeOf(effect, call.op === 'suspend'));
      return;
    }
    const key = this.keys.get(target);
    if (!key) return;
    key.effects.push(effect);
    if (REVOKING.has(call.op)) key.revoked.write(writeOf(effect, true));
    if (call.op === 'delete') key.deleted.write(writeOf(effect, true));
    if (call.op === 'patch') writeTerms(key, effect, call.changed);
  }

  /** Derives from the order of rotations which string each replaced. */
  #replayRotations(key: ModelKey): void {
    let current: Register<StringState> | null = null;
    let retiring: Register<StringState> | null = null;
    for (const effect of key.effects) {
      const { call, time } = effect;
      const isRotation = call.op === 'rotate' || call.op === 'rotate-management';
      // A call without an audit entry found no grace period to end.
      const endsGrace = call.op === 'end-grace' && effect.audit !== null;
      if (!isCreation(effect) && !isRotation && !endsGrace) continue;
      retiring?.write(writeOf(effect, { is: 'retired' }));
      retiring = null;
      if (endsGrace) continue;
      const graceMs = (call.changed.graceSeconds ?? 0) * 1000;
      const until = [time[0] + graceMs, time[1] + graceMs] as const;
      current?.write(writeOf(effect, graceMs > 0 ? { is: 'retiring', until } : { is: 'retired' }));
      if (graceMs > 0) retiring = current;
      current = new Register();
      current.write(writeOf(effect, { is: 'current' }));
      if (call.newRef !== null) this.strings.set(call.newRef, { key, state: current });
    }
  }

  /**
   * A final change was in force from the first answer that showed it, however late its own call
   * was answered. An answer that no change explains proves nothing.
   */
  #applyObservation({ ref, forged, code, start, end }: Verification): void {
    const string = this.strings.get(ref);
    if (!string || forged) return;
    const { key, state } = string;
    const seen = { start, end, sequence: null };
    if (code === 'REVOKED' && key.revoked.possible(start, end).includes(true)) {
      key.revoked.write({ ...seen, value: true });
    }
    const mayBeGone = () =>
      key.deleted.possible(start, end).includes(true) ||
      state.possible(start, end).some(({ is }) => is !== 'current');
    if (code === 'NOT_FOUND' && mayBeGone()) state.write({ ...seen, value: { is: 'retired' } });
  }
}

const REVOKING = new Set(['revoke', 'bulk-revoke', 'delete', 'revoke-management']);
const ALWAYS = { start: Number.NEGATIVE_INFINITY, end: Number.NEGATIVE_INFINITY, sequence: null };
const NEW_KEY: ChangedFields = {
  scopes: [],
  resources: null,
  allowedIps: null,
  expiresAt: null,
  enabled: true,
  limit: null,
};

function isCreation({ call }: Effect): boolean {
  return call.op === 'create' || call.op === 'create-management';
}

function writeTerms(key: ModelKey, effect: Effect, changed: ChangedFields): void {
  if (changed.scopes !== undefined) key.scopes.write(writeOf(effect, changed.scopes));
  if (changed.resources !== undefined) key.resources.write(writeOf(effect, changed.resources));
  if (changed.allowedIps !== undefined) key.allowedIps.write(writeOf(effect, changed.allowedIps));
  if (changed.expiresAt !== undefined) key.expiresAt.write(writeOf(effect, changed.expiresAt));
  if (changed.enabled !== undefined) key.enabled.write(writeOf(effect, changed.enabled));
  if (changed.limit !== undefined) key.limit.write(writeOf(effect, changed.limit));
}

function writeOf<T>({ start, end, sequence }: Effect, value: T) {
  return { start, end, sequence, value };
}
