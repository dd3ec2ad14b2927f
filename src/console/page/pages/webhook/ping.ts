import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { useAction } from '../../action.ts';
import { answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import { Failure } from '../../components/states.ts';
import { Time } from '../../components/time.ts';
import { attemptText } from './attempts.ts';

type Delivery = Schemas['Delivery'];

const LOOK_MS = 700;
/** Longer than an attempt can take. */
const LOOKS = 30;

/** Sends a test event and looks what becomes of it, while the page is open. */
export function usePing(id: string, onChange: () => void) {
  const delivery = useSignal<Delivery | null>(null);
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
    },
    [],
  );
  const { error, isBusy, run } = useAction();
  const ping = () =>
    run(async () => {
      delivery.value = null;
      const sent = await answerOf(api.POST('/v1/webhooks/{id}/ping', { params: { path: { id } } }));
      delivery.value = sent;
      for (let look = 0; look < LOOKS && !isGone.current; look++) {
        delivery.value = (await readPing(id, sent)) ?? sent;
        if (isAnswered(delivery.value, sent)) break;
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      onChange();
    });
  return { delivery, error, isBusy, ping };
}

/** One that waited already has attempts from before. */
function isAnswered(now: Delivery, sent: Delivery): boolean {
  return now.status !== 'pending' || now.attempts.length > sent.attempts.length;
}

async function readPing(id: string, { id: deliveryId }: Delivery): Promise<Delivery | null> {
  const query = { eventType: 'webhook.ping', limit: 5 } as const;
  const call = api.GET('/v1/webhooks/{id}/deliveries', { params: { path: { id }, query } });
  return (await answerOf(call)).data.find((one) => one.id === deliveryId) ?? null;
}

/** What became of the test event. */
export function PingOutcome({ ping }: { ping: ReturnType<typeof usePing> }) {
  const { delivery, error, isBusy } = ping;
  if (error.value) return html`<${Failure} error=${error.value} />`;
  return html`<div role="status">${delivery.value && html`<${Outcome} delivery=${delivery.value} isWaiting=${isBusy.value} />`}</div>`;
}

function Outcome({ delivery, isWaiting }: { delivery: Delivery; isWaiting: boolean }) {
  const { status, attempts, nextAttemptAt } = delivery;
  const last = attempts.at(-1);
  if (isWaiting) {
    return html`<p class="notice neutral"><b>The test event is on its way</b><span>Waiting for what the receiver answers.</span></p>`;
  }
  if (status === 'delivered' && last) {
    return html`<p class="notice good"><b>The receiver accepted the test event</b><span>It ${attemptText(last)}.</span></p>`;
  }
  return html`
    <p class="notice bad">
      <b>The test event has not arrived</b>
      <span>${last ? `The last attempt: ${attemptText(last)}.` : 'There was no attempt yet.'}${nextAttemptAt && html` The next attempt is due <${Time} at=${nextAttemptAt} as="time" />.`}</span>
    </p>
  `;
}
