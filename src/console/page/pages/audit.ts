import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { Changes } from '../components/changes.ts';
import { FilterField } from '../components/filter-field.ts';
import { Pager } from '../components/pager.ts';
import { Empty, Loaded } from '../components/states.ts';
import { TargetLink } from '../components/target-link.ts';
import { Time } from '../components/time.ts';
import { WorkspaceName } from '../components/workspace-name.ts';
import { formatNumber, plural } from '../format.ts';
import { looksLikeKey } from '../key-text.ts';
import { useResource } from '../resource.ts';
import { navigate, place, withQuery } from '../router.ts';
import { ACTION_GROUPS, actionText } from '../words.ts';
import { isEvery, workspaceId } from '../workspace.ts';

type AuditEvent = Schemas['AuditEvent'];
type Head = Schemas['AuditHead'];

const FILTERS = {
  actorId: 'Actor',
  onBehalfOf: 'On behalf of',
  targetId: 'Target',
} as const;

export function AuditPage() {
  const { query } = place.value;
  const filters = Object.fromEntries(
    ['action', ...Object.keys(FILTERS)].flatMap((name) => {
      const value = query.get(name);
      return value ? [[name, value]] : [];
    }),
  );
  const cursor = query.get('cursor');
  const events = useResource(
    () =>
      answerOf(
        api.GET('/v1/audit-events', {
          params: {
            query: { workspaceId: workspaceId.value, ...filters, ...(cursor && { cursor }) },
          },
        }),
      ),
    [workspaceId.value, JSON.stringify(filters), cursor],
  );
  // Each workspace has a chain of its own.
  const head = useResource(
    async () => (isEvery.value ? null : readHead(workspaceId.value)),
    [workspaceId.value],
  );
  const filter = (name: string, text: string) => {
    if (!looksLikeKey(text)) navigate('/audit', withQuery({ [name]: text.trim(), cursor: null }));
  };
  return html`
    <header class="page-head">
      <div>
        <h1>Audit log</h1>
        <p><${WorkspaceName} />: every change, in a chain of hashes.</p>
      </div>
      ${head.data && html`<${ChainHead} ...${head.data} />`}
    </header>
    <div class="filters" role="search">
      <select aria-label="Action" onChange=${({ currentTarget }: { currentTarget: HTMLSelectElement }) => filter('action', currentTarget.value)}>
        <option value="">Every action</option>
        ${[...ACTION_GROUPS].map(
          ([group, actions]) => html`
            <optgroup label=${group}>
              ${actions.map((action) => html`<option value=${action} selected=${action === query.get('action')}>${actionText(action)}</option>`)}
            </optgroup>
          `,
        )}
      </select>
      ${Object.entries(FILTERS).map(
        ([name, label]) => html`
          <${FilterField} key=${name} label=${label} size=${18} value=${query.get(name) ?? ''} onChange=${(text: string) => filter(name, text)} />
        `,
      )}
    </div>
    <${Loaded} resource=${events}>
      ${({ data, nextCursor }: { data: AuditEvent[]; nextCursor: string | null }) => html`
        <div class="card">
          ${data.length === 0 ? html`<${Empty} title="No entries" />` : html`<${EventTable} events=${data} />`}
          <${Pager} count=${plural(data.length, 'entry', 'entries')} nextCursor=${nextCursor} />
        </div>
      `}
    <//>
  `;
}

function readHead(of: string): Promise<Head> {
  return answerOf(api.GET('/v1/audit-events/head', { params: { query: { workspaceId: of } } }));
}

/** What to keep elsewhere, so that a log that was cut shows. */
function ChainHead({ sequence, hash }: Head) {
  return html`
    <div title="Keep it elsewhere: keyward audit verify --expect compares.">
      <div class="soft">Newest entry ${formatNumber(sequence)}</div>
      <code>${hash.slice(0, 16)}…</code>
    </div>
  `;
}

function EventTable({ events }: { events: readonly AuditEvent[] }) {
  return html`
    <div class="table-wrap">
      <table>
        <thead><tr><th>When</th>${isEvery.value && html`<th>Workspace</th>`}<th>What</th><th>Target</th><th>By</th><th>Change</th></tr></thead>
        <tbody>
          ${events.map(
            (event) => html`
              <tr key=${event.id}>
                <td class="nowrap"><${Time} at=${event.time} as="time" /></td>
                ${isEvery.value && html`<td>${event.workspaceId}</td>`}
                <td class="nowrap"><code>${event.action}</code></td>
                <td><${TargetLink} ...${event.target} of=${event.workspaceId} /></td>
                <td><${By} ...${event} /></td>
                <td>
                  <details><summary>Fields</summary><${Changes} before=${event.before} after=${event.after} /></details>
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

function By({ actor, ip }: AuditEvent) {
  return html`
    <div>${actor.onBehalfOf ?? actor.id}</div>
    <div class="below">${actor.onBehalfOf ? `${actor.id} · ` : ''}${ip ?? 'no address'}</div>
  `;
}
