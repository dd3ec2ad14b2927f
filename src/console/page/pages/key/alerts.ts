import { html } from 'htm/preact';
import { answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import { Loaded } from '../../components/states.ts';
import { Time } from '../../components/time.ts';
import { useResource } from '../../resource.ts';
import { hrefOf } from '../../router.ts';
import { Acknowledgement } from '../alerts/acknowledgement.ts';
import { AlertSentence } from '../alerts/words.ts';
import { AlertPill } from '../alerts.ts';

const SHOWN = 5;

interface Props {
  id: string;
  workspaceId: string;
  /** Of the state of the key: the alerts are read again when it changes. */
  version: string;
}

/** What somebody should know of the key, newest first. */
export function KeyAlerts({ id, workspaceId, version }: Props) {
  const alerts = useResource(() => {
    const query = { targetId: id, workspaceId, limit: SHOWN };
    return answerOf(api.GET('/v1/alerts', { params: { query } }));
  }, [id, workspaceId, version]);
  return html`
    <section class="card padded stack" aria-labelledby="alerts">
      <div class="row apart">
        <h2 id="alerts">Alerts</h2>
        <a href=${hrefOf('/alerts', { workspaceId, targetId: id, view: 'all' })}>All of them</a>
      </div>
      <${Loaded} resource=${alerts}>
        ${({ data }: Schemas['AlertPage']) => html`
          ${data.length === 0 && html`<p class="soft">There was none.</p>`}
          <ol class="trail">
            ${data.map(
              (alert) => html`
                <li key=${alert.id}>
                  <div class="row apart"><${AlertPill} alert=${alert} /><span class="soft"><${Time} at=${alert.openedAt} /></span></div>
                  <${AlertSentence} alert=${alert} />
                  <div><${Acknowledgement} alert=${alert} onDone=${alerts.reload} lead="Acknowledged " /></div>
                </li>
              `,
            )}
          </ol>
        `}
      <//>
    </section>
  `;
}
