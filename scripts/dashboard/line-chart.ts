import {
  escaped,
  framed,
  type Line,
  MARGIN,
  type PanelData,
  type Size,
  type TimeRange,
  xOf,
  yOf,
} from './panel.ts';
import { ticksUpTo, written } from './units.ts';

const COLOURS = [
  ...['#3b7dd8', '#e0752d', '#2f9e5b', '#c4342d', '#8a5cc2', '#b58900'],
  ...['#17a2b8', '#d6569f', '#6b7a89', '#4b5d16', '#9c6644', '#1b3a6b'],
];
const LEGEND_LINES = 2;
const colourOf = (index: number) => COLOURS[index % COLOURS.length] ?? '#000';

/** Lines over time, or areas one on the other where the panel stacks them. */
export function lineChart(data: PanelData, size: Size, range: TimeRange): string {
  const { unit = 'short', custom } = data.panel.fieldConfig?.defaults ?? {};
  if (data.lines.length === 0) return framed(data, size, range, noData(size));
  const isStacked = custom?.stacking.mode === 'normal';
  const lines = isStacked ? stacked(data.lines) : data.lines;
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const ticks = ticksUpTo(Math.max(0, ...values.filter(Number.isFinite)), unit);
  const top = ticks.at(-1) ?? 1;
  // The last of a stack is the highest: it is drawn first, and the others on it.
  const drawn = lines.map((line, index) => drawLine(line, index, top, size, range, isStacked));
  const content = [...axis(ticks, unit, size), ...drawn.reverse(), legend(data.lines, unit, size)];
  return framed(data, size, range, content.join(''));
}

function noData({ width, height }: Size): string {
  return `<text class="none" x="${width / 2}" y="${height / 2}" text-anchor="middle">no data</text>`;
}

function stacked(lines: readonly Line[]): Line[] {
  const sums = new Map<number, number>();
  return lines.map(({ name, points }) => ({
    name,
    points: points.map(([time, value]): [number, number] => {
      const sum = (sums.get(time) ?? 0) + (Number.isFinite(value) ? value : 0);
      sums.set(time, sum);
      return [time, sum];
    }),
  }));
}

function axis(ticks: readonly number[], unit: string, size: Size): string[] {
  const top = ticks.at(-1) ?? 1;
  return ticks.map((tick) => {
    const y = yOf(tick / top, size);
    return `<line class="grid" x1="${MARGIN.left}" x2="${size.width - MARGIN.right}" y1="${y}" y2="${y}"/>
      <text class="axis" x="${MARGIN.left - 6}" y="${y + 4}" text-anchor="end">${written(tick, unit)}</text>`;
  });
}

function drawLine(
  { points }: Line,
  index: number,
  top: number,
  size: Size,
  range: TimeRange,
  isFilled: boolean,
): string {
  let isBroken = true;
  const path = points.flatMap(([time, value]) => {
    if (!Number.isFinite(value)) {
      isBroken = true;
      return [];
    }
    const step = isBroken ? 'M' : 'L';
    isBroken = false;
    return `${step}${xOf(time, range, size).toFixed(1)} ${yOf(value / top, size).toFixed(1)}`;
  });
  const colour = colourOf(index);
  const [first, last] = [points.at(0)?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  const foot = `L${xOf(last, range, size)} ${yOf(0, size)} L${xOf(first, range, size)} ${yOf(0, size)} Z`;
  const area = isFilled
    ? `<path d="${path.join('')}${foot}" fill="#fff"/><path d="${path.join('')}${foot}" fill="${colour}" fill-opacity="0.25"/>`
    : '';
  return `${area}<path d="${path.join('')}" fill="none" stroke="${colour}" stroke-width="1.4"/>`;
}

/** The names with their last values, the greatest first, as many as there is room for. */
function legend(lines: readonly Line[], unit: string, size: Size): string {
  let x = MARGIN.left;
  let row = 0;
  const named = lines.map(({ name, points }, index) => {
    return { name, last: points.at(-1)?.[1] || 0, colour: colourOf(index) };
  });
  named.sort((a, b) => b.last - a.last);
  const entries = named.map(({ name, last, colour }) => {
    const text = `${name} ${written(last, unit)}`;
    const width = text.length * 6.7 + 22;
    if (x + width > size.width && x > MARGIN.left) {
      x = MARGIN.left;
      row++;
    }
    const y = size.height - 24 + row * 15;
    const entry = `<rect x="${x}" y="${y - 8}" width="10" height="8" fill="${colour}"/>
      <text class="axis" x="${x + 14}" y="${y}">${escaped(text)}</text>`;
    x += width;
    return row < LEGEND_LINES ? entry : '';
  });
  return entries.join('');
}
