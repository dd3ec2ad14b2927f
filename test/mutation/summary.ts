import { lineOf, type Outcome, type Result } from './record.ts';

const HEAD = [
  '| area | mutants | tried | refused | killed | survived | score | each |',
  '| --- | --: | --: | --: | --: | --: | --: | --: |',
];

/** A row for each area, then what is to be looked at. */
export function summaryOf(results: readonly Result[]): string {
  const survivors = results.flatMap(({ tried }) =>
    tried.filter(({ outcome }) => outcome === 'survived').map(lineOf),
  );
  return [...HEAD, ...results.map(rowOf), '', ...survivors, ''].join('\n');
}

function rowOf({ area, mutants, tried }: Result): string {
  const count = (wanted: Outcome) => tried.filter(({ outcome }) => outcome === wanted).length;
  const killed = count('killed') + count('timed out');
  const survived = count('survived');
  const seconds = tried.reduce((sum, mutant) => sum + mutant.seconds, 0);
  const cells = [
    area,
    mutants,
    tried.length,
    count('refused'),
    killed,
    survived,
    `${Math.round((100 * killed) / (killed + survived))} %`,
    `${(seconds / tried.length).toFixed(1)} s`,
  ];
  return `| ${cells.join(' | ')} |`;
}
