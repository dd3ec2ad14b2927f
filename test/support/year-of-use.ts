import { mostAtThisHour, UNUSUAL_USE_HOURS, unusualAbove } from '../../src/domain/unusual-use.ts';

const THRESHOLDS = { factor: 5, minimum: 100 };
const DAY = 24;
/** History of before the year that is judged. */
const BEFORE = 40 * DAY;
const YEAR = 365 * DAY;
/** A Thursday, the first of a month. */
const START = Date.UTC(2026, 0, 1);
const PUBLIC_HOLIDAYS = [41, 133, 136, 161, 184, 227, 314, 399, 400];

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Moment {
  /** Hours since the start of the history. */
  at: number;
  day: number;
  hour: number;
  weekday: number;
  date: Date;
  isHoliday: boolean;
}

function momentAt(at: number): Moment {
  const date = new Date(START + at * 3_600_000);
  const day = Math.floor(at / DAY);
  return {
    ...{ at, day, date, hour: at % DAY, weekday: date.getUTCDay() },
    isHoliday: PUBLIC_HOLIDAYS.includes(day) || day >= 357 + 10,
  };
}

const isWeekend = ({ weekday }: Moment) => weekday === 0 || weekday === 6;
/** Clocks change at the end of March and of October: what people do moves by an hour. */
const localHour = ({ hour, day }: Moment) => (hour + (day >= 88 && day < 298 ? 1 : 0)) % DAY;
const atWork = (moment: Moment) => localHour(moment) >= 8 && localHour(moment) < 18;

/** What share of its volume a key has in an hour, before noise; 1 is a usual busy hour. */
const SHAPES: Record<string, (moment: Moment, random: () => number) => number> = {
  office: (m) => (m.isHoliday || isWeekend(m) ? 0.03 : atWork(m) ? 1 : 0.05),
  shop: (m) => {
    const evening = 0.55 - 0.45 * Math.cos(((localHour(m) - 7) / DAY) * 2 * Math.PI);
    return evening * (isWeekend(m) || m.isHoliday ? 1.5 : 1);
  },
  machine: () => 1,
  growing: (m) => (isWeekend(m) ? 0.4 : 1) * 10 ** (m.at / (YEAR + BEFORE)),
  nightly: (m) => (m.hour === 2 ? 1 : 0),
  weekly: (m) => (m.weekday === 1 && m.hour >= 4 && m.hour < 7 ? 1 : 0.01),
  monthly: (m) => (m.date.getUTCDate() === 1 && m.hour < 5 ? 1 : 0),
  'monthly on a working day': (m) => (isFirstWorkday(m) && m.hour === 6 ? 1 : 0.001),
  quarterly: (m) =>
    m.date.getUTCMonth() % 3 === 0 && m.date.getUTCDate() === 2 && m.hour < 3 ? 1 : 0.002,
  school: (m) => (m.day >= 200 && m.day < 244 ? 0.01 : isWeekend(m) ? 0.03 : atWork(m) ? 1 : 0.03),
  builds: (m, random) =>
    (isWeekend(m) || m.isHoliday ? 0.1 : atWork(m) ? 1 : 0.2) * Math.exp(1.1 * normal(random)),
  'moved batch': (m) => (m.hour === (m.day < 180 ? 2 : 5) ? 1 : 0.02),
  new: (m) =>
    m.day < 150 ? 0 : atWork(m) && !isWeekend(m) ? Math.min(1, (m.day - 149) / 30) : 0.05,
  'tested, then live': (m) =>
    m.day < 150 ? 0 : m.day < 170 ? (m.day < 153 && m.hour === 10 ? 0.001 : 0) : 1,
};

function isFirstWorkday(moment: Moment): boolean {
  const date = moment.date.getUTCDate();
  return !isWeekend(moment) && (date === 1 || (moment.weekday === 1 && date <= 3));
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Something that does not belong to the use of a key. */
export interface Planted {
  kind: 'leak' | 'retry storm' | 'below the peak, by night' | 'just below';
  from: number;
  hours: number;
}

export interface KeyYear {
  shape: string;
  counts: number[];
  planted: Planted[];
}

const VOLUMES = [40, 400, 4000, 40_000];

/** Each shape in each volume, and with one thing planted in every season if it is used by then. */
export function yearsOfUse(seed: number): KeyYear[] {
  const random = randomFrom(seed);
  return Object.keys(SHAPES).flatMap((shape) =>
    VOLUMES.map((volume) => yearOfUse(shape, volume, random)),
  );
}

function yearOfUse(shape: string, volume: number, random: () => number): KeyYear {
  const share = SHAPES[shape] ?? (() => 0);
  const counts = Array.from({ length: BEFORE + YEAR }, (_, at) => {
    const mean = volume * share(momentAt(at), random);
    const noise = mean * 0.12 * normal(random) + Math.sqrt(mean) * normal(random);
    return Math.max(0, Math.round(mean + noise));
  });
  const planted: Planted[] = [];
  const kinds = ['just below', 'leak', 'below the peak, by night', 'retry storm'] as const;
  for (const [season, kind] of kinds.entries()) {
    const day = 40 + 80 * season + 10 + Math.floor(random() * 40);
    const hour = kind === 'below the peak, by night' ? 1 : Math.floor(random() * 18);
    plant(counts, planted, kind, day * DAY + hour);
  }
  return { shape, counts, planted };
}

const HOURS = { leak: 6, 'retry storm': 1, 'below the peak, by night': 4, 'just below': 2 };

/** Nothing is planted where a key is not used yet. */
function plant(counts: number[], planted: Planted[], kind: Planted['kind'], from: number): void {
  const usual = backwards(counts, from).slice(DAY);
  const peak = Math.max(...usual);
  if (peak === 0 || usual.findLastIndex((count) => count > 0) < 14 * DAY) return;
  const most = {
    leak: Math.max(8 * peak, 300),
    'retry storm': Math.max(12 * peak, 300),
    'below the peak, by night': 0.8 * peak,
    'just below': 1.95 * peak,
  }[kind];
  const hours = HOURS[kind];
  for (let at = from; at < from + hours; at++) counts[at] = Math.round(most);
  planted.push({ kind, from, hours });
}

function backwards(counts: readonly number[], at: number): number[] {
  return counts.slice(Math.max(0, at - UNUSUAL_USE_HOURS + 1), at + 1).reverse();
}

/** When each alert of a year is opened: at most one a day, and none while one is open. */
export function alertsOf({ counts }: Pick<KeyYear, 'counts'>): number[] {
  const alerts: number[] = [];
  const days = daysOf(counts);
  let open = false;
  for (let at = BEFORE; at < counts.length; at++) {
    const found = isUnusual(counts, days, at);
    const isNewDay = Math.floor((alerts.at(-1) ?? 0) / DAY) !== Math.floor(at / DAY);
    if (found && !open && isNewDay) alerts.push(at);
    open = found;
  }
  return alerts;
}

function isUnusual(counts: readonly number[], days: readonly number[], at: number): boolean {
  if ((counts[at] ?? 0) < THRESHOLDS.minimum) return false;
  const hours = backwards(counts, at);
  if ((hours[0] ?? 0) <= THRESHOLDS.factor * mostAtThisHour(hours)) return false;
  const end = Math.max(0, Math.floor(at / DAY) - 35);
  const busiestDay = Math.max(0, ...days.slice(Math.max(0, end - 365), end));
  return unusualAbove({ hours, busiestDay }, THRESHOLDS) !== null;
}

function daysOf(counts: readonly number[]): number[] {
  const days: number[] = [];
  for (let at = 0; at < counts.length; at += DAY) {
    days.push(counts.slice(at, at + DAY).reduce((sum, count) => sum + count, 0));
  }
  return days;
}
