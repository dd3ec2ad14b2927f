import type { Panel } from '../../test/observability/files.ts';

/** What the expressions of a panel gave: each line with its name and its values over time. */
export interface PanelData {
  panel: Panel;
  lines: Line[];
}

export interface Line {
  name: string;
  /** Seconds since 1970, and the value; NaN where there is none. */
  points: [number, number][];
}

/** The seconds since 1970 that are shown, and the time between two points. */
export interface TimeRange {
  start: number;
  end: number;
  step: number;
}

export interface Size {
  width: number;
  height: number;
}

/** The part of a panel that has the graph. */
export const MARGIN = { left: 62, right: 12, top: 30, bottom: 56 };

export function xOf(seconds: number, { start, end }: TimeRange, { width }: Size): number {
  const share = (seconds - start) / (end - start);
  return MARGIN.left + share * (width - MARGIN.left - MARGIN.right);
}

/** The height of a share of the whole axis, 0 at its foot. */
export function yOf(share: number, { height }: Size): number {
  return height - MARGIN.bottom - share * (height - MARGIN.top - MARGIN.bottom);
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/** A panel with its title, its times and whatever else is drawn in it. */
export function framed({ panel }: PanelData, size: Size, range: TimeRange, content: string) {
  const y = size.height - MARGIN.bottom + 14;
  const times = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const seconds = range.start + share * (range.end - range.start);
    const text = new Date(seconds * 1000).toISOString().slice(11, 19);
    const anchor = share === 1 ? 'end' : 'middle';
    return `<text class="axis" x="${xOf(seconds, range, size)}" y="${y}" text-anchor="${anchor}">${text}</text>`;
  });
  return `<rect class="card" x="2" y="2" width="${size.width - 4}" height="${size.height - 4}" rx="3"/>
    <text class="title" x="12" y="20">${escaped(panel.title)}</text>${content}${times.join('')}`;
}
