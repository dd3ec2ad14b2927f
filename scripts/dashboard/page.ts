import { heatmap } from './heatmap.ts';
import { lineChart } from './line-chart.ts';
import { escaped, type PanelData, type TimeRange } from './panel.ts';

export const PAGE_WIDTH = 1680;
/** Of the grid on which the dashboard places its panels. */
const COLUMNS = 24;
const ROW_HEIGHT = 27;

const STYLE = `body { margin: 0; background: #f4f5f5; }
  text { font: 11px sans-serif; fill: #24292e; }
  .title { font: 600 13px sans-serif; } .row { font: 600 15px sans-serif; }
  .axis { fill: #57606a; } .none { fill: #8c959f; font-size: 13px; }
  .card { fill: #fff; stroke: #d8dee4; } .grid { stroke: #eaeef2; }`;

/** All panels where the dashboard has them, as one drawing. */
export function pageOf(all: readonly PanelData[], range: TimeRange): string {
  const bottom = Math.max(...all.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h));
  const drawings = all.map((data) => {
    const { x, y, w, h } = data.panel.gridPos;
    const size = { width: (w * PAGE_WIDTH) / COLUMNS, height: h * ROW_HEIGHT };
    const place = `translate(${(x * PAGE_WIDTH) / COLUMNS} ${y * ROW_HEIGHT})`;
    return `<g transform="${place}">${drawn(data, size, range)}</g>`;
  });
  return `<!doctype html><meta charset="utf-8"><style>${STYLE}</style>
    <svg width="${PAGE_WIDTH}" height="${bottom * ROW_HEIGHT + 8}">${drawings.join('')}</svg>`;
}

function drawn(data: PanelData, size: { width: number; height: number }, range: TimeRange): string {
  const { type, title } = data.panel;
  if (type === 'row') return `<text class="row" x="8" y="20">${escaped(title)}</text>`;
  return type === 'heatmap' ? heatmap(data, size, range) : lineChart(data, size, range);
}
