import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { answerOf, api } from '../api.ts';
import type { Key } from '../api-types.ts';
import { announce } from '../components/announce.ts';
import { Sparkline } from '../components/bars.ts';
import { FilterField } from '../components/filter-field.ts';
import { Pager } from '../components/pager.ts';
import { Empty, Loaded, Skeleton } from '../components/states.ts';
import { KeyStatus } from '../components/status.ts';
import { Time } from '../components/time.ts';
import { WorkspaceName } from '../components/workspace-name.ts';
import { plural } from '../format.ts';
import { looksLikeKey } from '../key-text.ts';
import { useResource } from '../resource.ts';
import { hrefOf, navigate, place, withQuery } from '../router.ts';
import { may } from '../session.ts';
import { isEvery, workspaceId } from '../workspace.ts';
import { BulkRevocation } from './bulk-revocation.ts';
import { useKeyUsage } from './key-usage.ts';

const PAGE_SIZE = 25;
const DAY_MS = 86_400_000;

/** The same all day: cursors are of one list. */
function daysFromToday(days: number): string {
  return new Date((Math.floor(Date.now() / DAY_MS) + days) * DAY_MS).toISOString();
}

/** The views of the list: what each asks the API for. */
const VIEWS = {
  active: { title: 'Active', filter: () => ({ status: ['active', 'scheduled'] as const }) },
  expiring: {
    title: 'Expiring',
    filter: () => ({
      status: ['active'] as const,
      expiresBefore: daysFromToday(30),
      sort: 'expiresAt' as const,
    }),
  },
  unused: {
    title: 'Never used',
    filter: () => ({ status: ['active'] as const, neverUsed: true }),
  },
  disabled: { title: 'Disabled', filter: () => ({ status: ['disabled'] as const }) },
  expired: { title: 'Expired', filter: () => ({ status: ['expired'] as const }) },
  revoked: { title: 'Revoked', filter: () => ({ status: ['revoked'] as const }) },
  all: { title: 'All', filter: () => ({}) },
};
type View = keyof typeof VIEWS;

const SORTS = [
  ['-createdAt', 'Newest first'],
  ['name', 'By name'],
  ['expiresAt', 'Next to expire'],
] as const;

/** When the keys were last used: what each asks the API for. */
const USES = {
  '': { title: 'Used at any time', filter: () => ({}) },
  'last-7-days': {
    title: 'Used in the last 7 days',
    filter: () => ({ lastUsedAfter: daysFromToday(-7) }),
  },
  'not-for-30-days': {
    title: 'Not used for 30 days',
    filter: () => ({ lastUsedBefore: daysFromToday(-30) }),
  },
  'not-for-90-days': {
    title: 'Not used for 90 days',
    filter: () => ({ lastUsedBefore: daysFromToday(-90) }),
  },
};
type Use = keyof typeof USES;

export function KeysPage() {
  const { query } = place.value;
  const view = viewOf(query.get('view'));
  const filters = {
    search: query.get('search') ?? '',
    ownerId: query.get('ownerId') ?? '',
    scope: query.get('scope') ?? '',
    used: useOf(query.get('used')),
  };
  const sort = SORTS.find(([name]) => name === query.get('sort'))?.[0] ?? null;
  const cursor = query.get('cursor');
  const keys = useResource(
    () =>
      answerOf(
        api.GET('/v1/keys', {
          params: {
            query: {
              workspaceId: workspaceId.value,
              limit: PAGE_SIZE,
              ...VIEWS[view].filter(),
              ...USES[filters.used].filter(),
              ...(filters.search && { search: filters.search }),
              ...(filters.ownerId && { ownerId: filters.ownerId }),
              ...(filters.scope && { scope: filters.scope }),
              ...(sort && { sort }),
              ...(cursor && { cursor }),
            },
          },
        }),
      ),
    [workspaceId.value, view, ...Object.values(filters), sort, cursor],
  );
  const isFiltered = Object.values(filters).some((value) => value !== '');
  return html`
    <header class="page-head">
      <div>
        <h1>Keys</h1>
        <p><${WorkspaceName} /></p>
      </div>
      <div class="row">
        ${
          may('keys:write') &&
          !isEvery.value &&
          html`
            <a class="button" href=${hrefOf('/keys/import', { workspaceId: workspaceId.value })}>Import</a>
            <a class="button primary" href=${hrefOf('/keys/new', { workspaceId: workspaceId.value })}>Create key</a>
          `
        }
      </div>
    </header>
    <nav class="tabs" aria-label="Views">
      ${Object.entries(VIEWS).map(
        ([name, { title }]) => html`
        <a href=${hrefOf('/keys', withQuery({ view: name, cursor: null }))} aria-current=${name === view ? 'page' : undefined}>${title}</a>
      `,
      )}
    </nav>
    <${Filters} filters=${filters} sort=${sort} />
    <${Loaded} resource=${keys} skeleton=${html`<${Skeleton} lines=${12} />`}>
      ${(page: { data: Key[]; nextCursor: string | null }) => html`
        <${KeyTable} keys=${page.data} nextCursor=${page.nextCursor} reload=${keys.reload}
          empty=${html`<${NoKeys} isFiltered=${isFiltered} view=${view} />`} />
      `}
    <//>
  `;
}

function viewOf(name: string | null): View {
  return isView(name) ? name : 'active';
}

function isView(name: string | null): name is View {
  return name !== null && Object.hasOwn(VIEWS, name);
}

function useOf(name: string | null): Use {
  return isUse(name) ? name : '';
}

function isUse(name: string | null): name is Use {
  return name !== null && Object.hasOwn(USES, name);
}

interface InputEvent {
  currentTarget: HTMLInputElement | HTMLSelectElement;
}

interface FilterValues {
  search: string;
  ownerId: string;
  scope: string;
  used: Use;
}

/** What is typed becomes part of the address, so that it can be shared. */
function Filters({ filters, sort }: { filters: FilterValues; sort: string | null }) {
  const filter = (name: string, text: string) => {
    if (looksLikeKey(text)) announce('This looks like a key. “Try a key” says which it is.');
    else navigate('/keys', withQuery({ [name]: text.trim(), cursor: null }), { replace: true });
  };
  const search = (text: string) => filter('search', text);
  const change =
    (name: string) =>
    ({ currentTarget }: InputEvent) =>
      filter(name, currentTarget.value);
  return html`
    <div class="filters" role="search">
      <${SearchField} value=${filters.search} onPause=${search} />
      <${FilterField} label="Owner" size=${16} value=${filters.ownerId} onChange=${(text: string) => filter('ownerId', text)} />
      <${FilterField} label="Scope" size=${16} value=${filters.scope} onChange=${(text: string) => filter('scope', text)} />
      <select aria-label="Last used" onChange=${change('used')}>
        ${Object.entries(USES).map(([name, { title }]) => html`<option value=${name} selected=${name === filters.used}>${title}</option>`)}
      </select>
      <select aria-label="Sort" onChange=${change('sort')}>
        ${SORTS.map(([name, text]) => html`<option value=${name} selected=${name === (sort ?? '-createdAt')}>${text}</option>`)}
      </select>
    </div>
  `;
}

const TYPING_MS = 250;

/** What is typed is asked for when the typing pauses, and stays as it was typed. */
function SearchField({ value, onPause }: { value: string; onPause: (text: string) => void }) {
  const text = useSignal(value);
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (text.value.trim() !== value) text.value = value;
  }, [value]);
  const type = ({ currentTarget }: InputEvent) => {
    text.value = currentTarget.value;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onPause(text.value), TYPING_MS);
  };
  return html`
    <input type="search" aria-label="Search names" placeholder="Search names ( / )" size="30"
      value=${text.value} onInput=${type} onKeyDown=${moveBetweenRows} />
  `;
}

interface TableProps {
  keys: readonly Key[];
  nextCursor: string | null;
  reload: () => void;
  empty: unknown;
}

function KeyTable({ keys, nextCursor, reload, empty }: TableProps) {
  const selected = useSignal<ReadonlySet<string>>(new Set());
  const isRevoking = useSignal(false);
  const usage = useKeyUsage(keys);
  useEffect(() => {
    selected.value = new Set();
  }, [keys]);
  if (keys.length === 0) return html`<div class="card">${empty}</div>`;
  const toggle = (id: string) => {
    const next = new Set(selected.value);
    if (!next.delete(id)) next.add(id);
    selected.value = next;
  };
  const areAllSelected = keys.every(({ id }) => selected.value.has(id));
  const toggleAll = () => {
    selected.value = new Set(areAllSelected ? [] : keys.map(({ id }) => id));
  };
  const canSelect = may('keys:revoke');
  const hasUsage = may('usage:read');
  return html`
    <div class="card">
      <div class="table-wrap">
        <table>
          <thead>
            <tr>
              ${canSelect && html`<th><input type="checkbox" aria-label="Select all on this page" checked=${areAllSelected} onChange=${toggleAll} /></th>`}
              <th>Name</th>${isEvery.value && html`<th>Workspace</th>`}<th>Owner</th><th>Scopes</th><th>Status</th>${hasUsage && html`<th>Last 30 days</th>`}<th>Last used</th><th>Expires</th>
            </tr>
          </thead>
          <tbody onKeyDown=${moveBetweenRows}>
            ${keys.map(
              (key) => html`
              <tr key=${key.id} aria-selected=${canSelect ? selected.value.has(key.id) : undefined}>
                ${canSelect && html`<td><input type="checkbox" aria-label="Select ${key.name}" checked=${selected.value.has(key.id)} onChange=${() => toggle(key.id)} /></td>`}
                <td>
                  <div class="name"><a href=${hrefOf(`/keys/${key.id}`, { workspaceId: key.workspaceId })}>${key.name}</a></div>
                  <div class="below">${key.start}</div>
                </td>
                ${isEvery.value && html`<td>${key.workspaceId}</td>`}
                <td>${key.ownerId ?? html`<span class="soft">none</span>`}</td>
                <td><${Scopes} scopes=${key.scopes} /></td>
                <td><${KeyStatus} ...${key} /></td>
                ${hasUsage && html`<td>${usage ? html`<${Sparkline} bars=${usage.get(key.id) ?? []} />` : html`<span class="skeleton"></span>`}</td>`}
                <td class="nowrap"><${Time} at=${key.usage.lastUsedAt} none="Never" /></td>
                <td class="nowrap"><${Time} at=${key.expiresAt} none="Never" as="date" /></td>
              </tr>
            `,
            )}
          </tbody>
        </table>
      </div>
      <${Pager} count=${`${plural(keys.length, 'key')} on this page`} nextCursor=${nextCursor} />
    </div>
    ${
      selected.value.size > 0 &&
      html`
      <div class="selection-bar" role="region" aria-label="Selected keys">
        <b>${plural(selected.value.size, 'key')} selected</b>
        <button type="button" class="danger" onClick=${() => {
          isRevoking.value = true;
        }}>Revoke…</button>
        <button type="button" class="plain" onClick=${() => {
          selected.value = new Set();
        }}>Clear selection</button>
      </div>
    `
    }
    ${
      isRevoking.value &&
      html`
      <${BulkRevocation}
        keys=${keys.filter(({ id }) => selected.value.has(id))}
        onClose=${() => {
          isRevoking.value = false;
        }}
        onDone=${reload}
      />
    `
    }
  `;
}

const SHOWN_SCOPES = 3;

function Scopes({ scopes }: { scopes: readonly string[] }) {
  const more = scopes.length - SHOWN_SCOPES;
  return html`
    ${scopes.slice(0, SHOWN_SCOPES).map((scope) => html`<span class="scope">${scope}</span>`)}
    ${more > 0 && html`<span class="soft" title=${scopes.join(', ')}>+${more}</span>`}
    ${scopes.length === 0 && html`<span class="soft">none</span>`}
  `;
}

/** Arrows lead from the search to the first row, and from row to row. */
function moveBetweenRows(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const links = [...document.querySelectorAll<HTMLElement>('tbody .name a')];
  if (!step || !(event.target instanceof HTMLElement)) return;
  event.preventDefault();
  links[links.indexOf(event.target) + step]?.focus();
}

function NoKeys({ isFiltered, view }: { isFiltered: boolean; view: View }) {
  if (isFiltered) {
    return html`<${Empty} title="No key matches"><p>Change the filters, or look in “All”.</p><//>`;
  }
  if (view !== 'active') return html`<${Empty} title="Nothing here" />`;
  return html`
    <${Empty} title="No active keys">
      <p>Create one here, or by the API:</p>
      <pre>curl ${location.origin}/v1/keys \\
  -H "Authorization: Bearer $MANAGEMENT_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"name": "my first key"}'</pre>
      ${may('keys:write') && !isEvery.value && html`<a class="button primary" href=${hrefOf('/keys/new', { workspaceId: workspaceId.value })}>Create key</a>`}
    <//>
  `;
}
