import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { Pager } from '../components/pager.ts';
import { Empty, Loaded } from '../components/states.ts';
import { KeyStatus } from '../components/status.ts';
import { Time } from '../components/time.ts';
import { WorkspaceName } from '../components/workspace-name.ts';
import { formatNumber, plural } from '../format.ts';
import { useResource } from '../resource.ts';
import { hrefOf, place } from '../router.ts';
import { isEvery, workspaceId } from '../workspace.ts';

type Report = Schemas['HygieneReport'];
type HygieneKey = Schemas['HygieneKey'];
type KeySection = Schemas['HygieneKeySection'];
const OWNERS = 'owners-without-active-keys';

interface Section {
  title: string;
  advice: string;
  /** What `since` of its keys is. */
  since: string;
}

/** What each section means, and what to do about it: as docs/hygiene.md says. */
const SECTIONS: Record<KeySection, Section> = {
  'never-used': {
    title: 'Never used',
    advice: 'Ask the owner; revoke what was made in vain.',
    since: 'Created',
  },
  idle: {
    title: 'Idle for 90 days',
    advice: 'Disable first, revoke if nobody misses it.',
    since: 'Last used',
  },
  'without-expiry': {
    title: 'Without expiry',
    advice: 'Give it one; a policy of the workspace refuses new ones.',
    since: 'Created',
  },
  expiring: {
    title: 'Expire within 30 days',
    advice: 'Tell the owner, or move the expiry.',
    since: 'Expires',
  },
  'all-scopes': {
    title: 'May do everything',
    advice: 'Grant the scopes that are used.',
    since: 'Created',
  },
  'many-scopes': {
    title: 'More than 10 scopes',
    advice: 'Split it: one key for each purpose.',
    since: 'Created',
  },
  'rotation-due': {
    title: 'Rotation is due',
    advice: 'Rotate with a grace period.',
    since: 'String issued',
  },
  'imported-never-rotated': {
    title: 'Imported, never rotated',
    advice: 'Rotate: another system may still know the string.',
    since: 'Imported',
  },
  'retiring-in-use': {
    title: 'Old string still in use',
    advice: 'Tell the owner before the grace period ends.',
    since: 'Old string used',
  },
  'disabled-long': {
    title: 'Disabled for 90 days',
    advice: 'Revoke it, or enable it.',
    since: 'Last changed',
  },
};

export function HygienePage() {
  const section = place.value.query.get('section');
  const report = useResource(
    () =>
      answerOf(
        api.GET('/v1/reports/hygiene', { params: { query: { workspaceId: workspaceId.value } } }),
      ),
    [workspaceId.value],
  );
  return html`
    <header class="page-head">
      <div>
        <h1>Hygiene</h1>
        <p><${WorkspaceName} />: keys that somebody should look at</p>
      </div>
    </header>
    <div class="columns reversed">
      <${Loaded} resource=${report}>${(data: Report) => html`<${Overview} report=${data} chosen=${section} />`}<//>
      ${isKeySection(section) && html`<${KeyList} key=${section} section=${section} />`}
      ${section === OWNERS && html`<${OwnerList} />`}
      ${!section && html`<div class="card"><${Empty} title="Choose a finding"><p>Its keys are listed here.</p><//></div>`}
    </div>
  `;
}

function isKeySection(name: string | null): name is KeySection {
  return name !== null && Object.hasOwn(SECTIONS, name);
}

function Overview({ report, chosen }: { report: Report; chosen: string | null }) {
  return html`
    <nav class="card" aria-label="Findings">
      <ul class="findings">
        ${report.sections.map(({ section, count, more }) => {
          const title = isKeySection(section)
            ? SECTIONS[section].title
            : 'Owners without active keys';
          return html`
            <li key=${section}>
              <a href=${hrefOf('/hygiene', { workspaceId: workspaceId.value, section })} aria-current=${section === chosen ? 'page' : undefined}>
                <span>${title}</span>
                <span class=${count === 0 ? 'soft number' : 'number'}>${count === null ? '?' : `${formatNumber(count)}${more ? '+' : ''}`}</span>
              </a>
            </li>
          `;
        })}
      </ul>
    </nav>
  `;
}

function KeyList({ section }: { section: KeySection }) {
  const cursor = place.value.query.get('cursor');
  const { title, advice, since } = SECTIONS[section];
  const page = useResource(
    () =>
      answerOf(
        api.GET('/v1/reports/hygiene/{section}', {
          params: {
            path: { section },
            query: { workspaceId: workspaceId.value, limit: 25, ...(cursor && { cursor }) },
          },
        }),
      ),
    [workspaceId.value, section, cursor],
  );
  return html`
    <section class="stack" aria-label=${title}>
      <div><h2>${title}</h2><p class="soft">${advice}</p></div>
      <${Loaded} resource=${page}>
        ${({ data, nextCursor }: { data: HygieneKey[]; nextCursor: string | null }) =>
          data.length === 0
            ? html`<div class="card"><${Empty} title="None" /></div>`
            : html`
              <div class="card">
                <div class="table-wrap">
                  <table>
                    <thead><tr><th>Key</th>${isEvery.value && html`<th>Workspace</th>`}<th>Owner</th><th>Status</th><th>${since}</th></tr></thead>
                    <tbody>
                      ${data.map(
                        (key) => html`
                          <tr key=${key.id}>
                            <td>
                              <div class="name"><a href=${hrefOf(`/keys/${key.id}`, { workspaceId: key.workspaceId })}>${key.name}</a></div>
                              <div class="below">${key.start}</div>
                            </td>
                            ${isEvery.value && html`<td>${key.workspaceId}</td>`}
                            <td>${key.ownerId ?? html`<span class="soft">none</span>`}</td>
                            <td><${KeyStatus} ...${key} /></td>
                            <td class="nowrap"><${Time} at=${key.since} /></td>
                          </tr>
                        `,
                      )}
                    </tbody>
                  </table>
                </div>
                <${Pager} count=${plural(data.length, 'key')} nextCursor=${nextCursor} />
              </div>
            `}
      <//>
    </section>
  `;
}

function OwnerList() {
  const cursor = place.value.query.get('cursor');
  const page = useResource(
    () =>
      answerOf(
        api.GET('/v1/reports/hygiene/owners-without-active-keys', {
          params: {
            query: { workspaceId: workspaceId.value, limit: 25, ...(cursor && { cursor }) },
          },
        }),
      ),
    [workspaceId.value, cursor],
  );
  return html`
    <section class="stack" aria-label="Owners without active keys">
      <div><h2>Owners without active keys</h2><p class="soft">Delete the keys of customers who have left.</p></div>
      <${Loaded} resource=${page}>
        ${({ data, nextCursor }: Schemas['HygieneOwnerPage']) => html`
          <div class="card">
            ${
              data.length === 0
                ? html`<${Empty} title="None" />`
                : html`
                  <table>
                    <thead><tr><th>Owner</th>${isEvery.value && html`<th>Workspace</th>`}<th class="number">Keys</th></tr></thead>
                    <tbody>
                      ${data.map(
                        ({ ownerId, keys, workspaceId: of }) => html`
                          <tr key=${`${of} ${ownerId}`}>
                            <td><a href=${hrefOf('/keys', { workspaceId: of, ownerId, view: 'all' })}>${ownerId}</a></td>
                            ${isEvery.value && html`<td>${of}</td>`}
                            <td class="number">${formatNumber(keys)}</td>
                          </tr>
                        `,
                      )}
                    </tbody>
                  </table>
                `
            }
            <${Pager} count=${plural(data.length, 'owner')} nextCursor=${nextCursor} />
          </div>
        `}
      <//>
    </section>
  `;
}
