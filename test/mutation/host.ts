import { BaseSequencer, createVitest, type Reporter, type TestSpecification } from 'vitest/node';

interface TestFile {
  specification: TestSpecification;
  failures: number;
  ms: number;
}

/** Files in the order in which they are given. */
class AsGiven extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files;
  }
}

/**
 * A process that runs test files whenever its parent asks for it, in one Vitest, which costs more
 * to start than most tests to run. They run up to the first that fails: first what has failed most
 * often for its time. Without a changed file, those that have failed have to pass again: what failed
 * by chance says nothing about a mutant.
 */
const tests = process.argv.slice(2);
const files = new Map<string, TestFile>();
const ended = { passed: 0, failed: 0 };
const reporter: Reporter = {
  onTestCaseResult: (test) => {
    process.send?.(test.result().state === 'failed' ? 'failing' : 'going on');
  },
  onTestModuleEnd: (module) => {
    const file = files.get(module.moduleId);
    const state = module.state();
    if (!file || (state !== 'passed' && state !== 'failed')) return;
    ended[state]++;
    if (state === 'failed') file.failures++;
    else file.ms = Math.max(1, module.diagnostic().duration);
  },
};
// What a mutant keeps from coming is waited for less long than elsewhere.
const patience = { testTimeout: 15_000, expect: { poll: { timeout: 10_000 } } };
const order = { bail: 1, sequence: { sequencer: AsGiven } };
const vitest = await createVitest({
  watch: false,
  reporters: [reporter],
  ...order,
  ...patience,
});
for (const specification of await vitest.globTestSpecifications(tests)) {
  files.set(specification.moduleId, { specification, failures: 0, ms: 1 });
}
let changed = '';

process.on('message', async (path: string) => {
  vitest.invalidateFile(changed);
  vitest.invalidateFile(path);
  changed = path;
  const all = [...files.values()];
  const failed = all.filter(({ failures }) => failures > 0);
  const asked = path === '' && failed.length > 0 ? failed : all;
  process.send?.((await allPass(asked)) ? 'passed' : 'failed');
});

async function allPass(asked: TestFile[]): Promise<boolean> {
  Object.assign(ended, { passed: 0, failed: 0 });
  const ordered = asked.toSorted((a, b) => worthOf(b) - worthOf(a));
  const { unhandledErrors } = await vitest.runTestSpecifications(
    ordered.map(({ specification }) => specification),
  );
  return ended.passed === asked.length && asked.length > 0 && unhandledErrors.length === 0;
}

/** A file that has never failed may do so, too. */
function worthOf({ failures, ms }: TestFile): number {
  return (failures + 0.2) / ms;
}
