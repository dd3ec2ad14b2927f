import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { Changes } from '../components/changes.ts';
import { Pager } from '../components/pager.ts';
import { Empty, Loaded } from '../components/states.ts';
import { Time } from '../components/time.ts';
import { WorkspaceName } from '../components/workspace-name.ts';
import { formatNumber, plural } from '../format.ts';
import { looksLikeKey } from '../key-text.ts';
import { useResource } from '../resource.ts';
import { hrefOf, navigate, place, withQuery } from '../router.ts';
import { actionText } from '../words.ts';
import { isEvery, workspaceId } from '../workspace.ts';

type AuditEvent = Schemas['AuditEvent'];
type Head = Schemas['AuditHead'];

const FILTERS = {
  actorId: 'Actor',
  onBehalfOf: 'On behalf of',
  targetId: 'Target',
} as const;

const ACTIONS: readonly Schemas['AuditAction'][] = [
  'key.created',
  'key.imported',
  'key.updated',
  'key.rotated',
  'key.grace_ended',
  'key.credits_changed',
  'key.revoked',
  'key.deleted',
  'workspace.created',
  'workspace.updated',
  'workspace.suspended',
  'workspace.resumed',
  'workspace.deleted',
  'management_key.created',
  'management_key.updated',
  'management_key.rotated',
  'management_key.revoked',
  'owner.personal_data_erased',
  'audit.pruned',
  'audit.break',
  'audit.repaired',
];

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
  const change =
    (name: string) =>
    ({ currentTarget }: { currentTarget: HTMLInputElement | HTMLSelectElement }) => {
      const text = currentTarget.value.trim();
      if (!looksLikeKey(text)) navigate('/audit', withQuery({ [name]: text, cursor: null }));
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
      <select aria-label="Action" onChange=${change('action')}>
        <option value="">Every action</option>
        ${ACTIONS.map((action) => html`<option value=${action} selected=${action === query.get('action')}>${actionText(action)}</option>`)}
      </select>
      ${Object.entries(FILTERS).map(
        ([name, label]) => html`
          <input aria-label=${label} placeholder=${label} size="18" value=${query.get(name) ?? ''} onChange=${change(name)} />
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
                <td><${Target} ...${event.target} workspaceId=${event.workspaceId} /></td>
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

function Target({ type, id, workspaceId: of }: { type: string; id: string; workspaceId: string }) {
  if (type !== 'key') return html`<code>${id}</code>`;
  return html`<a class="mono" href=${hrefOf(`/keys/${id}`, { workspaceId: of })}>${id}</a>`;
}

function By({ actor, ip }: AuditEvent) {
  return html`
    <div>${actor.onBehalfOf ?? actor.id}</div>
    <div class="below">${actor.onBehalfOf ? `${actor.id} · ` : ''}${ip ?? 'no address'}</div>
  `;
}
