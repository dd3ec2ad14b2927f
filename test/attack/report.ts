import type { Attacked } from './harness/phase.ts';
import {
  type Measured,
  quantile,
  tallied,
  total,
  VICTIMS,
  type Victim,
} from './harness/samples.ts';
import { rounded, type Verdict } from './rules.ts';
import type { Scenario } from './scenario.ts';

/** Everything known of one scenario after it ran. */
export interface Row {
  scenario: Scenario;
  baseline: Measured | null;
  outcome: Attacked;
  verdicts: readonly Verdict[];
}

export function isKept({ verdicts, outcome }: Row): boolean {
  return outcome.failure === null && verdicts.every((verdict) => verdict.isKept);
}

/** A few lines as soon as a scenario has run. */
export function progressOf(row: Row): string {
  const { outcome, baseline, verdicts } = row;
  const broken = verdicts.filter((verdict) => !verdict.isKept);
  const lines = [
    `  victims   ${VICTIMS.map((kind) => shown(kind, baseline, outcome.measured)).join('   ')}`,
    `  service   ${vitalsOf(outcome)}`,
    `  attacker  ${tallied(outcome.met) || 'no answer'}`,
    ...broken.map(({ rule, says }) => `  BROKEN    ${rule}: ${says}`),
    ...(outcome.failure === null ? [] : [`  NOT MADE  ${outcome.failure}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** p50/p99 in milliseconds, those without attack in brackets. */
function shown(kind: Victim, baseline: Measured | null, measured: Measured): string {
  const alone = baseline ? ` (${quantiles(baseline, kind)})` : '';
  const refused = total(measured.of[kind].refused);
  const failed = refused === 0 ? '' : ` ${refused} of ${measured.of[kind].ms.length} refused`;
  return `${kind} ${quantiles(measured, kind)}${alone}${failed}`;
}

function quantiles({ of }: Measured, kind: Victim): string {
  return [0.5, 0.99].map((share) => rounded(quantile(of[kind].ms, share))).join('/');
}

function vitalsOf({ during, heapMiB }: Attacked): string {
  const { peak, loop } = during ?? {};
  return [
    `rss ${rounded(peak?.rssMiB)} MiB`,
    `heap ${rounded(heapMiB.before)}, at most ${rounded(peak?.heapMiB)}, then ${rounded(heapMiB.after)} MiB`,
    `loop p99 ${rounded(loop?.p99Ms)}, at most ${rounded(loop?.maxMs)} ms`,
  ].join('; ');
}

const COLUMNS = [
  'scenario',
  'hot p99',
  'quota p99',
  'in force',
  'refused',
  'rss',
  'loop',
  'broken',
];

function cellsOf({ scenario, baseline, outcome, verdicts }: Row): string[] {
  const { measured, during } = outcome;
  const beside = (of: (measured: Measured) => number) =>
    [...(baseline ? [baseline] : []), measured].map((one) => rounded(of(one))).join(' → ');
  const broken = verdicts.filter((verdict) => !verdict.isKept).map(({ rule }) => rule);
  if (outcome.failure !== null) broken.push('not made');
  return [
    scenario.name,
    beside(({ of }) => quantile(of.hot.ms, 0.99)),
    beside(({ of }) => quantile(of.quota.ms, 0.99)),
    beside(({ inForceMs }) => Math.max(...inForceMs)),
    String(VICTIMS.reduce((sum, kind) => sum + total(measured.of[kind].refused), 0)),
    rounded(during?.peak.rssMiB),
    rounded(during?.loop.maxMs),
    broken.join(', ') || '–',
  ];
}

/** All scenarios, one a line: milliseconds without → with the attack, rss in MiB, the loop's worst. */
export function summaryOf(rows: readonly Row[]): string {
  const table = [COLUMNS, ...rows.map(cellsOf)];
  const widths = COLUMNS.map((_, at) => Math.max(...table.map((cells) => cells[at]?.length ?? 0)));
  const lines = table.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const kept = rows.filter(isKept).length;
  return `${lines.join('\n')}\n\n${kept} of ${rows.length} scenarios kept every rule\n`;
}

/** The same for docs/security.md. */
export function markdownOf(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const body = rows.map((row) => {
    const [name = '', ...figures] = cellsOf(row);
    return line([`\`${name}\``, row.scenario.does, ...figures]);
  });
  const [first = '', ...others] = COLUMNS;
  const head = [first, 'what the attacker does', ...others];
  return `${[line(head), line(head.map(() => '---')), ...body].join('\n')}\n`;
}
