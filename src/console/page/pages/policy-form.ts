import type { Schemas } from '../api-types.ts';
import { type WatchForm, watchForm, watchOf } from './workspace/watch-form.ts';

const DAY_SECONDS = 86_400;

/** The policies of a workspace, as text. */
export interface PolicyForm extends WatchForm {
  name: string;
  defaultPrefix: string;
  maxLifetimeDays: string;
  maxActiveKeys: string;
  maxKeys: string;
  maxRequestsPerSecond: string;
  requireExpiry: boolean;
  requireResource: boolean;
  immutableKeys: boolean;
  apiAccess: boolean;
  /** One a line: scope | title | description. */
  scopes: string;
}

export function policyForm(workspace: Schemas['Workspace']): PolicyForm {
  const { maxLifetimeSeconds, availableScopes } = workspace;
  const text = (value: number | null) => (value === null ? '' : String(value));
  return {
    name: workspace.name ?? '',
    defaultPrefix: workspace.defaultPrefix,
    maxLifetimeDays: text(maxLifetimeSeconds && maxLifetimeSeconds / DAY_SECONDS),
    maxActiveKeys: text(workspace.maxActiveKeys),
    maxKeys: text(workspace.maxKeys),
    maxRequestsPerSecond: text(workspace.maxRequestsPerSecond),
    requireExpiry: workspace.requireExpiry,
    requireResource: workspace.requireResource,
    immutableKeys: workspace.immutableKeys,
    apiAccess: workspace.apiAccess,
    ...watchForm(workspace),
    scopes: (availableScopes ?? [])
      .map(({ scope, title, description }) => [scope, title, description].join(' | '))
      .join('\n'),
  };
}

/** What was typed stays; what was not touched follows the workspace as it is now. */
export function rebased(was: PolicyForm, mine: PolicyForm, theirs: PolicyForm): PolicyForm {
  const typed = Object.entries(mine).filter(([name, value]) => value !== Reflect.get(was, name));
  return { ...theirs, ...Object.fromEntries(typed) };
}

/** What was changed, and nothing else. */
export function changesOf(before: PolicyForm, after: PolicyForm): Schemas['WorkspaceInput'] {
  const [was, is] = [policyOf(before), policyOf(after)];
  const changed = Object.entries(is).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(Reflect.get(was, name)),
  );
  return Object.fromEntries(changed);
}

function policyOf(form: PolicyForm): Schemas['WorkspaceInput'] {
  const number = (text: string) => (text.trim() === '' ? null : Number(text));
  const days = number(form.maxLifetimeDays);
  const lines = form.scopes.split('\n').filter((line) => line.trim() !== '');
  return {
    name: form.name.trim() === '' ? null : form.name.trim(),
    defaultPrefix: form.defaultPrefix.trim(),
    maxLifetimeSeconds: days === null ? null : Math.round(days * DAY_SECONDS),
    maxActiveKeys: number(form.maxActiveKeys),
    maxKeys: number(form.maxKeys),
    maxRequestsPerSecond: number(form.maxRequestsPerSecond),
    requireExpiry: form.requireExpiry,
    requireResource: form.requireResource,
    immutableKeys: form.immutableKeys,
    apiAccess: form.apiAccess,
    ...watchOf(form),
    availableScopes: lines.length === 0 ? null : lines.map(toScope),
  };
}

function toScope(line: string): Schemas['AvailableScopeInput'] {
  const [scope = '', title = '', ...rest] = line.split('|').map((part) => part.trim());
  return { scope, title: title || scope, description: rest.join(' | ') || title || scope };
}
