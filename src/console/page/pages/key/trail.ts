import { html } from 'htm/preact';
import { answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import { Changes } from '../../components/changes.ts';
import { Loaded } from '../../components/states.ts';
import { Time } from '../../components/time.ts';
import { useResource } from '../../resource.ts';
import { hrefOf } from '../../router.ts';
import { actionText } from '../../words.ts';

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

function readTrail(id: string, workspaceId: string): Promise<Page> {
  const query = { targetId: id, workspaceId, limit: SHOWN };
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
        <span><b>${actionText(action)}</b> by ${actor.onBehalfOf ?? actor.id}${' '}<span class="soft">${originText(actor, ip)}</span></span>
        <span class="soft"><${Time} at=${time} as="time" /></span>
      </div>
      ${before === null && isCreation(action) ? null : html`<${Changes} before=${before} after=${after} />`}
    </li>
  `;
}

function originText({ id, onBehalfOf }: Schemas['Actor'], ip: string | null): string {
  const parts = [onBehalfOf !== null && `with ${id}`, ip !== null && `from ${ip}`];
  return parts.filter((part) => part !== false).join(' ');
}

/** An entry of a creation has every field, which the page shows already. */
function isCreation(action: string): boolean {
  return action === 'key.created' || action === 'key.imported';
}
