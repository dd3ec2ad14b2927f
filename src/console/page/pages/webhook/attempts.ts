import { html } from 'htm/preact';
import type { Schemas } from '../../api-types.ts';
import { Time } from '../../components/time.ts';
import { formatNumber, plural } from '../../format.ts';

type Attempt = Schemas['DeliveryAttempt'];

/** Why an attempt failed; docs/webhooks.md says what counts as a failure. */
const FAILURES: Record<string, (status: number | null) => string> = {
  timed_out: () => 'no answer within 10 seconds',
  name_not_resolved: () => 'the name leads to no address',
  address_not_allowed: () => 'the address is neither public nor allowed',
  connection_failed: () => 'no connection',
  certificate_refused: () => 'the certificate was refused',
  status_not_2xx: (status) => `answered ${status}`,
  redirected: (status) => `answered ${status}: redirects are not followed`,
  gone: (status) => `answered ${status}: gone for good`,
  answer_too_large: () => 'the answer was too large',
  secret_unreadable: () => 'the signing secret is sealed with another KEYWARD_SECRET',
  entry_unreadable: () => 'the audit log no longer has the event',
};

/** Such as “answered 204 in 84 ms”. */
export function attemptText({ status, error, durationMs }: Attempt): string {
  const outcome = error === null ? `answered ${status}` : (FAILURES[error]?.(status) ?? error);
  return `${outcome} in ${formatNumber(durationMs)} ms`.replace('seconds in', 'seconds, after');
}

/** The last attempt, and the ones before on demand. */
export function Attempts({ attempts }: { attempts: readonly Attempt[] }) {
  const last = attempts.at(-1);
  if (!last) return html`<span class="soft">none yet</span>`;
  const earlier = attempts.slice(0, -1);
  return html`
    <${One} ...${last} />
    ${
      earlier.length > 0 &&
      html`
        <details>
          <summary class="small">${plural(earlier.length, 'attempt')} before</summary>
          <ol class="trail small">${earlier.map((attempt) => html`<li key=${attempt.at}><${One} ...${attempt} /></li>`)}</ol>
        </details>
      `
    }
  `;
}

function One(attempt: Attempt) {
  return html`<div>${attemptText(attempt)}</div><div class="soft small"><${Time} at=${attempt.at} as="time" /></div>`;
}
