import { framed, MARGIN, type PanelData, type Size, type TimeRange, xOf, yOf } from './panel.ts';
import { written } from './units.ts';

interface Bucket {
  upTo: number;
  /** How much came to this bucket alone, by the time. */
  counts: Map<number, number>;
}

/** A histogram over time: the darker, the more. */
export function heatmap(data: PanelData, size: Size, range: TimeRange): string {
  const buckets = bucketsOf(data);
  const most = Math.max(1e-9, ...buckets.flatMap(({ counts }) => [...counts.values()]));
  const width = xOf(range.start + range.step, range, size) - MARGIN.left;
  const height = (size.height - MARGIN.top - MARGIN.bottom) / buckets.length;
  const rows = buckets.map(({ upTo, counts }, index) => {
    const y = yOf((index + 1) / buckets.length, size);
    const cells = [...counts].map(([time, count]) => {
      const x = xOf(time, range, size) - width;
      const opacity = Math.sqrt(count / most).toFixed(3);
      return x < MARGIN.left || count <= 0
        ? ''
        : `<rect x="${x}" y="${y}" width="${width - 0.5}" height="${height - 0.5}" fill="#d9480f" fill-opacity="${opacity}"/>`;
    });
    if (index % 2 === 0) return cells.join('');
    const text = Number.isFinite(upTo) ? written(upTo, 's') : 'more';
    return `<text class="axis" x="${MARGIN.left - 6}" y="${y + 4}" text-anchor="end">${text}</text>${cells.join('')}`;
  });
  return framed(data, size, range, rows.join(''));
}

/** Prometheus counts into each bucket what is in the smaller ones too. */
function bucketsOf({ lines }: PanelData): Bucket[] {
  const cumulative = lines
    .map(({ name, points }) => ({ upTo: name === '+Inf' ? Infinity : Number(name), points }))
    .sort((a, b) => a.upTo - b.upTo);
  let smaller = new Map<number, number>();
  return cumulative.map(({ upTo, points }) => {
    const counts = new Map(points.map(([time, value]) => [time, value - (smaller.get(time) ?? 0)]));
    smaller = new Map(points);
    return { upTo, counts };
  });
}
