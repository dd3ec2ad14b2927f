const BAR = 22;
const GAP = 10;
const LEFT = 170;
const WIDTH = 640;

interface Bar {
  name: string;
  throughputRatio: number;
}

/** The ratios as horizontal bars; the dashed line is the route that does nothing. */
export function chart(bars: readonly Bar[]): string {
  const longest = Math.max(1, ...bars.map((bar) => bar.throughputRatio));
  const scale = (WIDTH - LEFT - 60) / longest;
  const height = bars.length * (BAR + GAP) + GAP;
  const one = LEFT + scale;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">`,
    '<title>Throughput as a share of a route that does nothing</title>',
    ...bars.map((bar, index) => row(bar, GAP + index * (BAR + GAP), scale)),
    `<line x1="${one}" x2="${one}" y1="0" y2="${height}" stroke="#888" stroke-dasharray="4"/>`,
    '</svg>\n',
  ].join('\n');
}

function row({ name, throughputRatio }: Bar, y: number, scale: number): string {
  const width = throughputRatio * scale;
  const middle = y + BAR - 6;
  return (
    `<text x="${LEFT - 8}" y="${middle}" text-anchor="end">${name}</text>` +
    `<rect x="${LEFT}" y="${y}" width="${width}" height="${BAR}" fill="#3b6ea5"/>` +
    `<text x="${LEFT + width + 6}" y="${middle}">${throughputRatio.toFixed(2)}</text>`
  );
}
