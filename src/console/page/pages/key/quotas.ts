import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import type { Key, Schemas } from '../../api-types.ts';
import { Time } from '../../components/time.ts';
import { formatNumber } from '../../format.ts';
import { may } from '../../session.ts';
import { windowText } from '../../words.ts';
import { CreditsDialog } from './credits-dialog.ts';

interface Props {
  apiKey: Key;
  reload: () => void;
}

/** What is left of the rate limits and the credits. */
export function Quotas({ apiKey, reload }: Props) {
  const isChanging = useSignal(false);
  const { rateLimits, credits, status, id } = apiKey;
  const canChange = credits !== null && may('keys:write') && status !== 'revoked';
  return html`
    <section class="card padded stack" aria-labelledby="quotas">
      <div class="row apart">
        <h2 id="quotas">Limits and credits</h2>
        ${
          canChange &&
          html`<button type="button" class="plain" onClick=${() => {
            isChanging.value = true;
          }}>Change credits…</button>`
        }
      </div>
      ${rateLimits.map((limit) => html`<${LimitMeter} ...${limit} />`)}
      ${credits && html`<${CreditsMeter} ...${credits} />`}
      ${!credits && rateLimits.length === 0 && html`<p class="soft">Neither rate limits nor credits: requests are not limited.</p>`}
      ${!credits && rateLimits.length > 0 && html`<p class="soft">Credits are not limited.</p>`}
    </section>
    ${
      isChanging.value &&
      credits &&
      html`<${CreditsDialog} id=${id} remaining=${credits.remaining} onDone=${reload} onClose=${() => {
        isChanging.value = false;
      }} />`
    }
  `;
}

function LimitMeter({ name, limit, windowSeconds, remaining, resetAt }: Schemas['RateLimit']) {
  return html`
    <div>
      <div class="row apart">
        <span><b>${name}</b> <span class="soft">${formatNumber(limit)} in ${windowText(windowSeconds)}</span></span>
        <span class="number">${formatNumber(remaining)} left</span>
      </div>
      <${Meter} label=${`Used of ${name}`} used=${limit - remaining} of=${limit} />
      ${remaining < limit && resetAt && html`<${NextUnits} at=${resetAt} />`}
    </div>
  `;
}

const SOON_MS = 60_000;

function NextUnits({ at }: { at: string }) {
  const isSoon = Date.parse(at) - Date.now() < SOON_MS;
  return html`<p class="small soft">More ${isSoon ? 'within a minute' : html`<${Time} at=${at} />`}</p>`;
}

function CreditsMeter({ remaining, refill }: Schemas['Credits']) {
  return html`
    <div>
      <div class="row apart">
        <span><b>Credits</b> <span class="soft">${refillText(refill)}</span></span>
        <span class="number">${formatNumber(remaining)}${refill ? ` of ${formatNumber(refill.amount)}` : ''} left</span>
      </div>
      ${refill && html`<${Meter} label="Credits used" used=${Math.max(0, refill.amount - remaining)} of=${refill.amount} />`}
      ${refill && html`<p class="small soft">Refilled <${Time} at=${refill.nextAt} as="time" /></p>`}
    </div>
  `;
}

function refillText(refill: Schemas['Credits']['refill']): string {
  if (!refill) return 'no refill';
  return refill.interval === 'daily'
    ? 'refill every day'
    : `refill on day ${refill.dayOfMonth} of the month`;
}

const LOW_SHARE = 0.8;

function Meter({ label, used, of }: { label: string; used: number; of: number }) {
  const share = of === 0 ? 1 : used / of;
  return html`
    <div class="meter ${share >= LOW_SHARE ? 'low' : ''}" role="meter" aria-label=${label}
      aria-valuenow=${used} aria-valuemin="0" aria-valuemax=${of} aria-valuetext="${formatNumber(used)} of ${formatNumber(of)}">
      <span style=${{ width: `${Math.min(100, share * 100)}%` }}></span>
    </div>
  `;
}
