export type Granularity = 'hour' | 'day' | 'month';

/** How far a zone is ahead of UTC at an instant, in milliseconds. */
export type Offset = (instant: number) => number;

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export const UTC: Offset = () => 0;

const SHOWN_OFFSET = /GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?$/;

/** Null if there is no zone of that name. Names of UTC such as `Etc/UTC` and `GMT` are UTC itself. */
export function offsetOf(timeZone: string): Offset | null {
  const format = formatOf(timeZone);
  if (format?.resolvedOptions().timeZone === 'UTC') return UTC;
  return format && ((instant) => parseOffset(format.format(instant)));
}

function formatOf(timeZone: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  } catch {
    return null;
  }
}

function parseOffset(text: string): number {
  const [, sign, hours, minutes, seconds] = SHOWN_OFFSET.exec(text) ?? [];
  const ms = Number(hours ?? 0) * HOUR_MS + Number(minutes ?? 0) * 60_000;
  return (sign === '-' ? -1 : 1) * (ms + Number(seconds ?? 0) * 1000);
}

/**
 * Where the buckets begin that a range touches, and where the last one ends; null if there are more
 * than `max`. A day of a zone is as long as its clocks make it: 23, 24 or 25 hours.
 */
export function bucketEdges(
  granularity: Granularity,
  offset: Offset,
  { from, to }: { from: number; to: number },
  max: number,
): number[] | null {
  const edges: number[] = [];
  let local = startOf(granularity, from + offset(from));
  while (edges.length <= max) {
    const edge = instantOf(local, offset);
    edges.push(edge);
    if (edge >= to) return edges;
    local = nextStart(granularity, local);
  }
  return null;
}

/** Of what a clock on the wall shows, as if it were UTC. */
function startOf(granularity: Granularity, local: number): number {
  if (granularity === 'month') return monthStart(local, 0);
  const width = granularity === 'hour' ? HOUR_MS : DAY_MS;
  return Math.floor(local / width) * width;
}

function nextStart(granularity: Granularity, local: number): number {
  if (granularity === 'month') return monthStart(local, 1);
  return local + (granularity === 'hour' ? HOUR_MS : DAY_MS);
}

function monthStart(local: number, later: number): number {
  const date = new Date(local);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later);
}

/** The first whole hour at which a clock in the zone shows that time or a later one. */
function instantOf(local: number, offset: Offset): number {
  const [before, after] = [offset(local - DAY_MS), offset(local + DAY_MS)];
  const last = local - Math.min(before, after);
  for (let at = local - Math.max(before, after); at < last; at += HOUR_MS) {
    if (at + offset(at) >= local) return at;
  }
  return last;
}
