import { html } from 'htm/preact';
import { answerOf, api } from '../../api.ts';
import type { Key, Schemas } from '../../api-types.ts';
import { type Bar, Chart } from '../../components/bars.ts';
import { Loaded, Skeleton } from '../../components/states.ts';
import { formatNumber, formatPercent, formatTime, formatUtcDate } from '../../format.ts';
import { useResource } from '../../resource.ts';
import { hrefOf, place, withQuery } from '../../router.ts';
import { verdictText } from '../../words.ts';

const RANGES = {
  day: { title: 'Days', label: 'Last 30 days', back: 29 * 86_400_000 },
  hour: { title: 'Hours', label: 'Last 48 hours', back: 47 * 3_600_000 },
} as const;
type Granularity = keyof typeof RANGES;

/** Verifications by verdict; days or hours, as the address says. */
export function Usage({ apiKey }: { apiKey: Key }) {
  const by: Granularity = place.value.query.get('by') === 'hour' ? 'hour' : 'day';
  const usage = useResource(() => readUsage(apiKey, by), [apiKey.id, by, apiKey.usage.total]);
  return html`
    <section class="card padded stack key-usage" aria-labelledby="usage">
      <div class="row apart">
        <h2 id="usage">Usage by verdict</h2>
        <nav class="segments" aria-label="Usage by">
          ${Object.entries(RANGES).map(
            ([name, { title }]) => html`
            <a href=${hrefOf(place.value.path, withQuery({ by: name === 'day' ? null : name }))}
              aria-current=${name === by ? 'true' : undefined}>${title}</a>
          `,
          )}
        </nav>
      </div>
      <${Loaded} resource=${usage} skeleton=${html`<${Skeleton} lines=${10} />`}>
        ${(data: Schemas['KeyUsage']) => html`<${Counts} ...${data} />`}
      <//>
    </section>
  `;
}

function readUsage({ id }: Key, granularity: Granularity) {
  const now = Date.now();
  const query = {
    granularity,
    from: new Date(now - RANGES[granularity].back).toISOString(),
    to: new Date(now).toISOString(),
  };
  return answerOf(api.GET('/v1/keys/{id}/usage', { params: { path: { id }, query } }));
}

function Counts({ granularity, buckets, total, byCode, bySecret }: Schemas['KeyUsage']) {
  const isHourly = granularity === 'hour';
  const bars = buckets.map(toBar);
  return html`
    <div class="stack">
      <${Chart} bars=${bars} isHourly=${isHourly} label=${RANGES[isHourly ? 'hour' : 'day'].label} />
      <div class=${bySecret.length > 1 ? 'grid-2' : ''}>
        <${ByVerdict} byCode=${byCode} total=${total} />
        ${bySecret.length > 1 && html`<${BySecret} bySecret=${bySecret} total=${total} />`}
      </div>
      ${total > 0 && html`<${Numbers} bars=${bars} isHourly=${isHourly} />`}
    </div>
  `;
}

function ByVerdict({ byCode, total }: Pick<Schemas['KeyUsage'], 'byCode' | 'total'>) {
  const rows = Object.entries(byCode).sort(([, a], [, b]) => b - a);
  if (rows.length === 0) return html`<p class="soft">It was not presented in this time.</p>`;
  return html`
    <table class="counts">
      <thead><tr><th>Verdict</th><th class="end">Requests</th><th class="end">Share</th></tr></thead>
      <tbody>
        ${rows.map(
          ([code, count]) => html`
          <tr key=${code}>
            <td title=${code}><span class="dot ${code === 'VALID' ? 'valid' : 'denied'}"></span>${verdictText(code)}</td>
            <td class="end number">${formatNumber(count)}</td>
            <td class="end number">${formatPercent(count / total)}</td>
          </tr>
        `,
        )}
      </tbody>
    </table>
  `;
}

function BySecret({ bySecret, total }: Pick<Schemas['KeyUsage'], 'bySecret' | 'total'>) {
  return html`
    <table class="counts">
      <thead><tr><th>String</th><th class="end">Requests</th><th class="end">Share</th></tr></thead>
      <tbody>
        ${bySecret.map(
          ({ secretId, start, total: count }) => html`
          <tr key=${secretId}>
            <td><code>${start ?? 'removed strings'}</code></td>
            <td class="end number">${formatNumber(count)}</td>
            <td class="end number">${formatPercent(count / total)}</td>
          </tr>
        `,
        )}
      </tbody>
    </table>
  `;
}

/** The chart in numbers, without the times in which nothing was asked. */
function Numbers({ bars, isHourly }: { bars: readonly Bar[]; isHourly: boolean }) {
  const used = bars.filter(({ valid, denied }) => valid + denied > 0).reverse();
  const timeOf = isHourly ? formatTime : formatUtcDate;
  return html`
    <details>
      <summary>As a table</summary>
      <table class="counts">
        <thead><tr><th>${isHourly ? 'Hour' : 'Day, in UTC'}</th><th class="end">Valid</th><th class="end">Denied</th></tr></thead>
        <tbody>
          ${used.map(
            ({ start, valid, denied }) => html`
            <tr key=${start}>
              <td>${timeOf(start)}</td>
              <td class="end number">${formatNumber(valid)}</td>
              <td class="end number">${formatNumber(denied)}</td>
            </tr>
          `,
          )}
        </tbody>
      </table>
    </details>
  `;
}

function toBar({ start, total, byCode }: Schemas['UsageBucket']): Bar {
  const { VALID: valid = 0 } = byCode;
  return { start, valid, denied: total - valid };
}
