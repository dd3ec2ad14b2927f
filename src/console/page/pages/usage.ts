import { html } from 'htm/preact';
import type { Schemas } from '../api-types.ts';
import { type Bar, Chart } from '../components/bars.ts';
import { Pager } from '../components/pager.ts';
import { Empty, Loaded } from '../components/states.ts';
import { WorkspaceName } from '../components/workspace-name.ts';
import { formatNumber, formatPercent, plural } from '../format.ts';
import { useResource } from '../resource.ts';
import { hrefOf, navigate, place, withQuery } from '../router.ts';
import { type UsageReport as Report, readBars, readUsage } from '../usage-report.ts';
import { isEvery, workspaceId } from '../workspace.ts';
import { ExportButton } from './usage-export.ts';

type Group = Schemas['UsageGroup'];

const DAY_MS = 86_400_000;
const RANGES = [
  ['7', 'Last 7 days'],
  ['30', 'Last 30 days'],
  ['90', 'Last 90 days'],
] as const;
const GROUPS = [
  ['key', 'Keys'],
  ['owner', 'Owners'],
  ['code', 'Verdicts'],
] as const;
const METRICS = [
  ['verifications', 'Verifications'],
  ['units', 'Units'],
] as const;

type GroupBy = (typeof GROUPS)[number][0];

export function UsagePage() {
  const { query } = place.value;
  const days = chosen(RANGES, query.get('days'), '30');
  const groupBy = chosen(GROUPS, query.get('groupBy'), 'key');
  const metric = chosen(METRICS, query.get('metric'), 'verifications');
  const cursor = query.get('cursor');
  const from = new Date(startOfDay() - (Number(days) - 1) * DAY_MS).toISOString();
  const range = { workspaceId: workspaceId.value, from, granularity: 'day' as const };
  const dimensions = isEvery.value ? (['workspace', groupBy] as const) : ([groupBy] as const);
  const inputs = [workspaceId.value, days, groupBy, metric, cursor];
  const groups = useResource(
    () =>
      readUsage({
        ...range,
        groupBy: [...dimensions],
        metric,
        limit: 25,
        ...(cursor && { cursor }),
      }),
    inputs,
  );
  const chart = useResource(
    async () => (await readBars({ ...range, groupBy: ['time'] }, () => '')).get('') ?? [],
    [workspaceId.value, days],
  );
  const change = (name: string) => (event: { currentTarget: HTMLSelectElement }) =>
    navigate('/usage', withQuery({ [name]: event.currentTarget.value, cursor: null }));
  return html`
    <header class="page-head">
      <div>
        <h1>Usage</h1>
        <p><${WorkspaceName} />, in days of UTC</p>
      </div>
      <div class="row">
        <${Select} label="Range" options=${RANGES} value=${days} onChange=${change('days')} />
        <${Select} label="Count" options=${METRICS} value=${metric} onChange=${change('metric')} />
        <${ExportButton} query=${{ ...range, groupBy: dimensions, order: 'group', metric }} />
      </div>
    </header>
    <div class="stack">
      <div class="card padded">
        <${Loaded} resource=${chart}>${(bars: Bar[]) => html`<${Chart} bars=${bars} label="Verifications by day" width=${1120} />`}<//>
      </div>
      <div>
        <nav class="tabs" aria-label="Count by">
          ${GROUPS.map(
            ([name, title]) => html`
              <a href=${hrefOf('/usage', withQuery({ groupBy: name, cursor: null }))} aria-current=${name === groupBy ? 'page' : undefined}>${title}</a>
            `,
          )}
        </nav>
        <${Loaded} resource=${groups}>
          ${(report: Report) => html`<${GroupTable} report=${report} groupBy=${groupBy} metric=${metric} />`}
        <//>
      </div>
    </div>
  `;
}

/** The same all day: cursors are of one range. */
function startOfDay(): number {
  return Math.floor(Date.now() / DAY_MS) * DAY_MS;
}

function chosen<Value extends string>(
  options: readonly (readonly [Value, string])[],
  value: string | null,
  none: Value,
): Value {
  return options.find(([name]) => name === value)?.[0] ?? none;
}

interface SelectProps {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChange: (event: { currentTarget: HTMLSelectElement }) => void;
}

function Select({ label, value, options, onChange }: SelectProps) {
  return html`
    <select aria-label=${label} onChange=${onChange}>
      ${options.map(([name, text]) => html`<option value=${name} selected=${name === value}>${text}</option>`)}
    </select>
  `;
}

interface TableProps {
  report: Report;
  groupBy: GroupBy;
  metric: 'verifications' | 'units';
}

function GroupTable({ report: { data, total, nextCursor }, groupBy, metric }: TableProps) {
  if (data.length === 0) {
    return html`<div class="card"><${Empty} title="No use in this range"><p>Verifications are shown about two seconds after they are answered.</p><//></div>`;
  }
  const most = Math.max(1, ...data.map((group) => group[metric]));
  return html`
    <div class="card">
      <div class="table-wrap">
        <table>
          <thead>
            <tr><th>${GROUPS.find(([name]) => name === groupBy)?.[1]}</th>${isEvery.value && html`<th>Workspace</th>`}<th class="number">Verifications</th><th class="number">Units</th><th>Compared with the most</th><th class="number">Share</th></tr>
          </thead>
          <tbody>
            ${data.map(
              (group) => html`
                <tr key=${`${group.workspaceId} ${group.keyId ?? group.ownerId ?? group.code ?? group.kind}`}>
                  <td><${GroupName} group=${group} groupBy=${groupBy} /></td>
                  ${isEvery.value && html`<td>${group.workspaceId === '*' ? html`<span class="soft">none named</span>` : group.workspaceId}</td>`}
                  <td class="number">${formatNumber(group.verifications)}</td>
                  <td class="number">${formatNumber(group.units)}</td>
                  <td><div class="meter"><span style=${{ width: `${(100 * group[metric]) / most}%` }}></span></div></td>
                  <td class="number">${total && total[metric] > 0 ? formatPercent(group[metric] / total[metric]) : '–'}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
      <${Pager} count=${total ? `${plural(total.verifications, 'verification')} in all` : ''} nextCursor=${nextCursor} />
    </div>
  `;
}

/** What has no key or owner says what it is. */
const KINDS: Record<string, string> = {
  removed: 'Keys that were removed',
  unmatched: 'Strings that matched no key',
  key: 'Keys without an owner',
};

function GroupName({ group, groupBy }: { group: Group; groupBy: GroupBy }) {
  const { keyId, ownerId, code, kind, name } = group;
  const of = group.workspaceId ?? workspaceId.value;
  if (groupBy === 'code') return html`<code>${code}</code>`;
  if (groupBy === 'owner' && ownerId !== null) {
    return html`<a href=${hrefOf('/keys', { workspaceId: of, ownerId, view: 'all' })}>${ownerId}</a>`;
  }
  if (groupBy === 'key' && keyId !== null) {
    return html`<div class="name"><a href=${hrefOf(`/keys/${keyId}`, { workspaceId: of })}>${name ?? keyId}</a></div>`;
  }
  return html`<span class="soft">${KINDS[kind ?? ''] ?? 'Other'}</span>`;
}
