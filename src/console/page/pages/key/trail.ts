import { html } from 'htm/preact';
import { answerOf, api, type Schemas } from '../../api.ts';
import { Loaded } from '../../components/states.ts';
import { Time } from '../../components/time.ts';
import { useResource } from '../../resource.ts';
import { hrefOf } from '../../router.ts';
import { actionText, fieldText, windowText } from './words.ts';

const SHOWN = 20;

interface Props {
  id: string;
  workspaceId: string;
  /** Of the state of the key: the trail is read again when it changes. */
  version: string;
}

interface Page {
  data: Schemas['AuditEvent'][];
  nextCursor: string | null;
}

export function readTrail(id: string, workspaceId: string, limit = SHOWN): Promise<Page> {
  const query = { targetId: id, workspaceId, limit };
  return answerOf(api.GET('/v1/audit-events', { params: { query } }));
}

/** Who changed the key, when and what, newest first. */
export function Trail({ id, workspaceId, version }: Props) {
  const trail = useResource(() => readTrail(id, workspaceId), [id, workspaceId, version]);
  return html`
    <section class="card padded stack" aria-labelledby="trail">
      <div class="row apart">
        <h2 id="trail">Audit trail</h2>
        <a href=${hrefOf('/audit', { workspaceId, targetId: id })}>In the audit log</a>
      </div>
      <${Loaded} resource=${trail}>
        ${({ data, nextCursor }: Page) => html`
          ${data.length === 0 && html`<p class="soft">No entry is kept of this key.</p>`}
          <ol class="trail">${data.map((event) => html`<${Entry} key=${event.id} ...${event} />`)}</ol>
          ${nextCursor && html`<p class="soft">Older entries are in the audit log.</p>`}
        `}
      <//>
    </section>
  `;
}

function Entry({ action, actor, time, ip, before, after }: Schemas['AuditEvent']) {
  return html`
    <li>
      <div class="row apart">
        <span><b>${actionText(action)}</b> by ${actor.onBehalfOf ?? actor.id}${
          actor.onBehalfOf !== null && html` <span class="soft">with ${actor.id}</span>`
        }</span>
        <span class="soft"><${Time} at=${time} as="time" /></span>
      </div>
      ${before === null && isCreation(action) ? null : html`<${Changes} before=${before} after=${after} />`}
      ${ip && html`<div class="small soft">from ${ip}</div>`}
    </li>
  `;
}

/** An entry of a creation has every field, which the page shows already. */
function isCreation(action: string): boolean {
  return action === 'key.created' || action === 'key.imported';
}

function Changes({ before, after }: { before: unknown; after: unknown }) {
  const was = flat(fieldsOf(before));
  const is = flat(fieldsOf(after));
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  const changed = names.filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]));
  return html`
    <dl class="changes">
      ${changed.map(
        (name) => html`
        <dt>${fieldText(name)}</dt>
        <dd>${name in was && html`<del>${valueText(name, was[name])}</del> → `}<ins>${valueText(name, is[name])}</ins></dd>
      `,
      )}
    </dl>
  `;
}

/** Metadata by its names: what stayed is not shown. */
function flat({ metadata, ...fields }: Record<string, unknown>): Record<string, unknown> {
  const own = Object.entries(fieldsOf(metadata));
  return {
    ...fields,
    ...Object.fromEntries(own.map(([name, value]) => [`metadata.${name}`, value])),
  };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function valueText(name: string, value: unknown) {
  if (value === null || value === undefined) return 'none';
  if (name === 'graceSeconds' && typeof value === 'number')
    return value === 0 ? 'none' : windowText(value);
  if (typeof value === 'string')
    return name.endsWith('At') ? html`<${Time} at=${value} as="time" />` : value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return value.length === 0 ? 'none' : value.join(', ');
  }
  return JSON.stringify(value);
}
