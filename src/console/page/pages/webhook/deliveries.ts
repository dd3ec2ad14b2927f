import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import { answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import { announce } from '../../components/announce.ts';
import { Pager } from '../../components/pager.ts';
import { Empty, Failure, Loaded } from '../../components/states.ts';
import { Pill } from '../../components/status.ts';
import { Time } from '../../components/time.ts';
import { plural } from '../../format.ts';
import { useResource } from '../../resource.ts';
import { hrefOf, navigate, place, withQuery } from '../../router.ts';
import { may } from '../../session.ts';
import { ACTION_GROUPS, actionText, knownActions } from '../../words.ts';
import { eventText } from '../webhooks/form.ts';
import { Attempts } from './attempts.ts';
import { redeliver } from './read.ts';

type Delivery = Schemas['Delivery'];
type DeliveryList = Schemas['DeliveryPage'];

const PAGE_SIZE = 25;
const PING = 'webhook.ping' as const;
const VIEWS = [
  ['', 'All'],
  ['pending', 'Waiting'],
  ['delivered', 'Delivered'],
  ['failed', 'Failed'],
] as const;

interface Props {
  webhook: Schemas['Webhook'];
  /** Counts the reasons to read them again. */
  turn: number;
  onChange: () => void;
}

/** What was sent and what waits, the newest first. */
export function Deliveries({ webhook: { id, enabled }, turn, onChange }: Props) {
  const { path, query } = place.value;
  const status = VIEWS.find(([name]) => name === query.get('status'))?.[0] ?? '';
  const named = query.get('eventType') ?? '';
  const eventType = named === PING ? PING : knownActions([named])[0];
  const cursor = query.get('cursor');
  const deliveries = useResource(() => {
    const filter = { ...(status && { status }), ...(eventType && { eventType }) };
    const params = {
      path: { id },
      query: { limit: PAGE_SIZE, ...filter, ...(cursor && { cursor }) },
    };
    return answerOf(api.GET('/v1/webhooks/{id}/deliveries', { params }));
  }, [id, status, eventType, cursor, turn]);
  const change = ({ currentTarget }: { currentTarget: HTMLSelectElement }) =>
    navigate(path, withQuery({ eventType: currentTarget.value, cursor: null }));
  return html`
    <section class="card deliveries" aria-labelledby="deliveries">
      <div class="row apart padded">
        <h2 id="deliveries">Deliveries</h2>
        <span class="row">
          <nav class="segments" aria-label="Status">
            ${VIEWS.map(
              ([name, title]) => html`
                <a href=${hrefOf(path, withQuery({ status: name, cursor: null }))} aria-current=${name === status ? 'true' : undefined}>${title}</a>
              `,
            )}
          </nav>
          <${TypeFilter} value=${eventType ?? ''} onChange=${change} />
        </span>
      </div>
      <${Loaded} resource=${deliveries}>
        ${({ data, nextCursor }: DeliveryList) => html`
          ${data.length === 0 ? html`<${None} isFiltered=${status !== '' || eventType !== undefined} />` : html`<${Table} deliveries=${data} canSend=${enabled && may('webhooks:write')} onChange=${onChange} />`}
          <${Pager} count=${plural(data.length, 'delivery', 'deliveries')} nextCursor=${nextCursor} />
        `}
      <//>
    </section>
  `;
}

interface FilterProps {
  value: string;
  onChange: (event: { currentTarget: HTMLSelectElement }) => void;
}

function TypeFilter({ value, onChange }: FilterProps) {
  const option = (type: string, text: string) =>
    html`<option value=${type} selected=${type === value}>${text}</option>`;
  return html`
    <select aria-label="Event" onChange=${onChange}>
      <option value="">Every event</option>
      ${option(PING, eventText(PING))}
      ${[...ACTION_GROUPS].map(([group, types]) => html`<optgroup label=${group}>${types.map((type) => option(type, actionText(type)))}</optgroup>`)}
    </select>
  `;
}

function None({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) return html`<${Empty} title="No delivery matches" />`;
  return html`
    <${Empty} title="Nothing was sent yet"><p>Send a test event to see whether the receiver is there.</p><//>
  `;
}

interface TableProps {
  deliveries: readonly Delivery[];
  canSend: boolean;
  onChange: () => void;
}

function Table({ deliveries, canSend, onChange }: TableProps) {
  const { error, isBusy, run } = useAction();
  const send = ({ id, webhookId }: Delivery) =>
    run(async () => {
      const queued = await redeliver(webhookId, { deliveryId: id });
      announce(queued === 0 ? 'It waits already: its next attempt is now.' : 'It is sent again.');
      onChange();
    });
  return html`
    ${error.value && html`<${Failure} error=${error.value} />`}
    <div class="table-wrap">
      <table class="stacked">
        <thead>
          <tr><th>Event</th><th>Queued</th><th>Status</th><th>Attempts</th>${canSend && html`<th><span class="visually-hidden">Actions</span></th>`}</tr>
        </thead>
        <tbody>
          ${deliveries.map(
            (delivery) => html`
              <tr key=${delivery.id}>
                <td><div class="name">${eventText(delivery.eventType)}</div><div class="below">${delivery.eventId}</div></td>
                <td class="nowrap"><${Time} at=${delivery.createdAt} /></td>
                <td><${DeliveryStatus} ...${delivery} /></td>
                <td class="attempts"><${Attempts} attempts=${delivery.attempts} /></td>
                ${
                  canSend &&
                  html`<td class="nowrap"><button type="button" class="plain" disabled=${isBusy.value}
                    aria-label=${`${delivery.status === 'pending' ? 'Try now' : 'Send again'}: ${eventText(delivery.eventType)}`}
                    onClick=${() => void send(delivery)}>${delivery.status === 'pending' ? 'Try now' : 'Send again'}</button></td>`
                }
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

function DeliveryStatus({ status, nextAttemptAt, attempts }: Delivery) {
  if (status === 'delivered') return html`<${Pill} tone="good" text="Delivered" />`;
  if (status === 'failed') return html`<${Pill} tone="bad" text="Failed" />`;
  return html`
    <${Pill} tone=${attempts.length > 0 ? 'caution' : 'neutral'} text="Waiting" />
    ${attempts.length > 0 && nextAttemptAt && html`<div class="soft small">next ${isNear(nextAttemptAt) ? 'within a minute' : html`<${Time} at=${nextAttemptAt} />`}</div>`}
  `;
}

function isNear(at: string): boolean {
  return Date.parse(at) - Date.now() < 60_000;
}
