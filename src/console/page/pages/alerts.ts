import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { FilterField } from '../components/filter-field.ts';
import { Pager } from '../components/pager.ts';
import { Empty, Loaded } from '../components/states.ts';
import { Pill } from '../components/status.ts';
import { TargetLink } from '../components/target-link.ts';
import { Time } from '../components/time.ts';
import { WorkspaceName } from '../components/workspace-name.ts';
import { plural } from '../format.ts';
import { looksLikeKey } from '../key-text.ts';
import { useResource } from '../resource.ts';
import { hrefOf, navigate, place, withQuery } from '../router.ts';
import { actionText } from '../words.ts';
import { isEvery, workspaceId } from '../workspace.ts';
import { Acknowledgement } from './alerts/acknowledgement.ts';
import { readNames } from './alerts/names.ts';
import { ALERT_TYPES, type Alert, AlertSentence, alertTitle, alertTone } from './alerts/words.ts';

const PAGE_SIZE = 25;

const VIEWS = {
  open: { title: 'Open', filter: { state: 'open' } },
  new: { title: 'Not acknowledged', filter: { state: 'open', acknowledged: false } },
  ended: { title: 'Ended', filter: { state: 'ended' } },
  all: { title: 'All', filter: {} },
} as const;
type View = keyof typeof VIEWS;

const TYPE_OPTIONS = ALERT_TYPES.map((type) => [type, actionText(`alert.${type}`)] as const);
const ACKNOWLEDGED = [
  ['true', 'Acknowledged'],
  ['false', 'Not acknowledged'],
] as const;

type Names = ReadonlyMap<string, string>;
type AlertList = Schemas['AlertPage'] & { names: Names };

export function AlertsPage() {
  const { query } = place.value;
  const view = viewOf(query.get('view'));
  const type = ALERT_TYPES.find((known) => known === query.get('type'));
  const acknowledged = ACKNOWLEDGED.find(([name]) => name === query.get('acknowledged'))?.[0];
  const targetId = query.get('targetId') ?? '';
  const cursor = query.get('cursor');
  const filter = {
    ...(type && { type }),
    ...(acknowledged && { acknowledged: acknowledged === 'true' }),
    ...VIEWS[view].filter,
    ...(targetId && { targetId }),
    ...(cursor && { cursor }),
  };
  const alerts = useResource(async () => {
    const params = { query: { workspaceId: workspaceId.value, limit: PAGE_SIZE, ...filter } };
    const page = await answerOf(api.GET('/v1/alerts', { params }));
    return { ...page, names: await readNames(page.data) };
  }, [workspaceId.value, JSON.stringify(filter)]);
  const isFiltered = view !== 'open' || Object.keys(filter).length > 1;
  return html`
    <header class="page-head">
      <div>
        <h1>Alerts</h1>
        <p><${WorkspaceName} />: what somebody should know. Each ends by itself when it is over.</p>
      </div>
    </header>
    <nav class="tabs" aria-label="Views">
      ${Object.entries(VIEWS).map(
        ([name, { title }]) => html`
          <a href=${hrefOf('/alerts', withQuery({ view: name, acknowledged: null, cursor: null }))} aria-current=${name === view ? 'page' : undefined}>${title}</a>
        `,
      )}
    </nav>
    <${Filters} type=${type} acknowledged=${view === 'new' ? null : (acknowledged ?? '')} targetId=${targetId} />
    <${Loaded} resource=${alerts}>
      ${(page: AlertList) => html`
        <div class="card">
          ${page.data.length === 0 ? html`<${NoAlerts} isFiltered=${isFiltered} />` : html`<${AlertTable} alerts=${page.data} names=${page.names} reload=${alerts.reload} />`}
          <${Pager} count=${plural(page.data.length, 'alert')} nextCursor=${page.nextCursor} />
        </div>
      `}
    <//>
  `;
}

function viewOf(name: string | null): View {
  return isView(name) ? name : 'open';
}

function isView(name: string | null): name is View {
  return name !== null && Object.hasOwn(VIEWS, name);
}

interface FiltersProps {
  type: string | undefined;
  /** Null where the view says it already. */
  acknowledged: string | null;
  targetId: string;
}

function Filters({ type, acknowledged, targetId }: FiltersProps) {
  const filter = (name: string, text: string) => {
    if (!looksLikeKey(text)) navigate('/alerts', withQuery({ [name]: text.trim(), cursor: null }));
  };
  const change =
    (name: string) =>
    ({ currentTarget }: { currentTarget: HTMLSelectElement }) =>
      filter(name, currentTarget.value);
  const options = (all: readonly (readonly [string, string])[], value: string | undefined) =>
    all.map(
      ([name, text]) => html`<option value=${name} selected=${name === value}>${text}</option>`,
    );
  return html`
    <div class="filters" role="search">
      <select aria-label="Type" onChange=${change('type')}>
        <option value="">Every type</option>
        ${options(TYPE_OPTIONS, type)}
      </select>
      ${
        acknowledged !== null &&
        html`
          <select aria-label="Acknowledgement" onChange=${change('acknowledged')}>
            <option value="">Acknowledged or not</option>
            ${options(ACKNOWLEDGED, acknowledged)}
          </select>
        `
      }
      <${FilterField} label="About" placeholder="About: an id" size=${30} value=${targetId} onChange=${(text: string) => filter('targetId', text)} />
    </div>
  `;
}

function NoAlerts({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) return html`<${Empty} title="No alert matches" />`;
  return html`
    <${Empty} title="Nothing to worry about">
      <p>Keyward looks every minute: for keys that expire, are not used, leaked or limited often, and more.</p>
    <//>
  `;
}

interface TableProps {
  alerts: readonly Alert[];
  names: Names;
  reload: () => void;
}

function AlertTable({ alerts, names, reload }: TableProps) {
  return html`
    <div class="table-wrap">
      <table class="alerts stacked">
        <thead><tr><th>Alert</th><th>About</th>${isEvery.value && html`<th>Workspace</th>`}<th>Since</th><th>Acknowledged</th></tr></thead>
        <tbody>
          ${alerts.map(
            (alert) => html`
              <tr key=${alert.id}>
                <td>
                  <${AlertPill} alert=${alert} />
                  <div class="sentence"><${AlertSentence} alert=${alert} /></div>
                </td>
                <td><${About} alert=${alert} name=${names.get(alert.target.id)} /></td>
                ${isEvery.value && html`<td>${alert.workspaceId}</td>`}
                <td class="nowrap">
                  <${Time} at=${alert.openedAt} />
                  ${alert.endedAt !== null && html`<div class="soft">ended <${Time} at=${alert.endedAt} /></div>`}
                </td>
                <td><${Acknowledgement} alert=${alert} onDone=${reload} /></td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** What has ended is no matter of concern any more. */
export function AlertPill({ alert: { type, state } }: { alert: Alert }) {
  const tone = state === 'open' ? alertTone(type) : 'neutral';
  return html`<${Pill} tone=${tone} text=${`${alertTitle(type)}${state === 'open' ? '' : ' · ended'}`} />`;
}

const TARGETS: Record<string, string> = {
  key: 'Key',
  management_key: 'Management key',
  workspace: 'Workspace',
  webhook: 'Webhook',
};

function About({ alert, name }: { alert: Alert; name: string | undefined }) {
  const { type, id } = alert.target;
  return html`
    <div class="name"><${TargetLink} type=${type} id=${id} of=${alert.workspaceId}>${name ?? id}<//></div>
    <div class="below">${TARGETS[type] ?? type}${name && html` · ${id}`}</div>
  `;
}
