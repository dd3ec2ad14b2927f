import { html } from 'htm/preact';
import { formatCompact, formatNumber, formatTime, formatUtcDate, plural } from '../format.ts';

export interface Bar {
  start: string;
  valid: number;
  denied: number;
}

/** Bars without axes, for a cell of a table. */
export function Sparkline({ bars }: { bars: readonly Bar[] }) {
  const max = Math.max(1, ...bars.map(({ valid, denied }) => valid + denied));
  const [valid, denied] = totals(bars);
  const text = `${plural(valid + denied, 'verification')} in ${bars.length} days, ${formatNumber(denied)} denied`;
  const width = 120 / Math.max(1, bars.length);
  return html`
    <svg class="sparkline" viewBox="0 0 120 22" role="img" aria-label=${text}>
      <title>${text}</title>
      ${bars.map((bar, index) => html`<${Column} bar=${bar} x=${index * width} width=${width - 1} base=${22} scale=${20 / max} />`)}
    </svg>
  `;
}

interface ChartProps {
  bars: readonly Bar[];
  label: string;
  /** Hours are those of the reader's zone; days are those of UTC. */
  isHourly?: boolean;
  /** Of the drawing, in units of its text: what is shown wider is drawn wider. */
  width?: number;
}

/** Bars with axes: verifications by day or hour, denied ones below. */
export function Chart({ bars, label, isHourly = false, width: whole = 700 }: ChartProps) {
  const max = niceMax(Math.max(1, ...bars.map(({ valid, denied }) => valid + denied)));
  const width = (whole - 60) / Math.max(1, bars.length);
  const every = Math.ceil(bars.length / 6);
  const [valid, denied] = totals(bars);
  const timeOf = isHourly ? formatTime : formatUtcDate;
  const shortOf = isHourly ? shortHour : shortDate;
  return html`
    <figure class="stack">
      <figcaption class="row apart">
        <h2>${label}</h2>
        <span class="legend">
          <span><svg viewBox="0 0 9 9"><rect width="9" height="9" rx="2" class="bar-valid" /></svg>valid ${formatNumber(valid)}</span>
          <span><svg viewBox="0 0 9 9"><rect width="9" height="9" rx="2" class="bar-denied" /></svg>denied ${formatNumber(denied)}</span>
        </span>
      </figcaption>
      <svg class="chart" viewBox="0 0 ${whole} 190" role="img" aria-label="${label}: ${formatNumber(valid)} valid, ${formatNumber(denied)} denied">
        ${[0, 0.5, 1].map(
          (part) => html`
          <line x1="48" x2=${whole - 4} y1=${160 - part * 140} y2=${160 - part * 140} />
          <text x="42" y=${164 - part * 140} text-anchor="end">${formatCompact(max * part)}</text>
        `,
        )}
        <g transform="translate(52 0)">
          ${bars.map(
            (bar, index) => html`
            <g>
              <title>${timeOf(bar.start)}: ${formatNumber(bar.valid)} valid, ${formatNumber(bar.denied)} denied</title>
              <${Column} bar=${bar} x=${index * width} width=${Math.max(1, width - 3)} base=${160} scale=${140 / max} />
              ${index % every === 0 && html`<text x=${index * width} y="178">${shortOf(bar.start)}</text>`}
            </g>
          `,
          )}
        </g>
      </svg>
    </figure>
  `;
}

interface ColumnProps {
  bar: Bar;
  x: number;
  width: number;
  base: number;
  scale: number;
}

function Column({ bar: { valid, denied }, x, width, base, scale }: ColumnProps) {
  if (valid + denied === 0) {
    return html`<rect class="bar-none" x=${x} y=${base - 1} width=${width} height="1" />`;
  }
  const low = denied === 0 ? 0 : Math.max(1, denied * scale);
  const high = valid === 0 ? 0 : Math.max(1, valid * scale);
  return html`
    <rect class="bar-valid" x=${x} y=${base - low - high} width=${width} height=${high} rx="1" />
    <rect class="bar-denied" x=${x} y=${base - low} width=${width} height=${low} />
  `;
}

function totals(bars: readonly Bar[]): [valid: number, denied: number] {
  const sum = (name: 'valid' | 'denied') => bars.reduce((total, bar) => total + bar[name], 0);
  return [sum('valid'), sum('denied')];
}

/** The next of 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, … */
function niceMax(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 3, 4, 5, 7.5, 10].find((step) => step * power >= value) ?? 10) * power;
}

const days = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  timeZone: 'UTC',
});
const hours = new Intl.DateTimeFormat(undefined, { weekday: 'short', hour: 'numeric' });
const shortDate = (iso: string) => days.format(new Date(iso));
const shortHour = (iso: string) => hours.format(new Date(iso));
