/** How a value is written on an axis, by the unit of Grafana. */
export function written(value: number, unit: string): string {
  if (unit === 's') return duration(value);
  if (unit === 'bytes') return bytes(value);
  if (unit === 'percentunit') return `${short(value * 100)} %`;
  return unit === 'reqps' || unit === 'ops' ? `${short(value)}/s` : short(value);
}

function duration(seconds: number): string {
  if (seconds === 0) return '0';
  if (seconds < 0.001) return `${short(seconds * 1e6)} µs`;
  if (seconds < 1) return `${short(seconds * 1000)} ms`;
  return seconds < 3600 ? `${short(seconds)} s` : `${short(seconds / 3600)} h`;
}

function bytes(value: number): string {
  if (value < 1024) return `${short(value)} B`;
  return value < 2 ** 20 ? `${short(value / 1024)} KiB` : `${short(value / 2 ** 20)} MiB`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Ticks from 0 to the first that is not below the maximum, at round numbers of the unit. */
export function ticksUpTo(maximum: number, unit: string): number[] {
  if (maximum <= 0) return [0, 1];
  const one = unit === 'bytes' ? 1024 ** Math.floor(Math.log2(maximum) / 10) : 1;
  const rough = maximum / 4 / one;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power * one;
  const count = Math.max(1, Math.ceil(maximum / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, tick) => tick * step);
}
