import { readFileSync } from 'node:fs';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import type { Edit } from './record.ts';

type Mutant = Awaited<ReturnType<Instrumenter['instrument']>>['mutants'][number];

const no = () => false;
const nothing = () => {};
const SILENT: ConstructorParameters<typeof Instrumenter>[0] = {
  isTraceEnabled: no,
  isDebugEnabled: no,
  isInfoEnabled: no,
  isWarnEnabled: no,
  isErrorEnabled: no,
  isFatalEnabled: no,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
};
const EVERY_KIND = { plugins: null, excludedMutations: [], ignorers: [] };

/** Every mutant that Stryker knows of a TypeScript file. */
export async function mutantsOf(file: string): Promise<Edit[]> {
  const content = readFileSync(file, 'utf8');
  const input = { name: file, content, mutate: true };
  const { mutants } = await new Instrumenter(SILENT).instrument([input], EVERY_KIND);
  return mutants.map((mutant) => editOf(file, content.split('\n'), mutant));
}

/** Stryker counts lines and columns from zero. */
function editOf(file: string, lines: string[], { location, replacement }: Mutant): Edit {
  const offsetOf = ({ line, column }: Mutant['location']['start']) =>
    lines.slice(0, line).reduce((sum, { length }) => sum + length + 1, column);
  return { file, from: offsetOf(location.start), to: offsetOf(location.end), replacement };
}
