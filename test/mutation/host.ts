import { createVitest, type Reporter, type TestSpecification } from 'vitest/node';

/**
 * A process that runs test files whenever its parent asks for it, in one Vitest, which costs more
 * to start than most tests to run. They run file by file up to the first that fails: what has
 * failed most often comes first, then what is fast.
 */
const tests = process.argv.slice(2);
const reporter: Reporter = {
  onTestCaseResult: (test) => {
    if (test.result().state === 'failed') process.send?.('failing');
  },
};
const vitest = await createVitest({ watch: false, reporters: [reporter] });
const files = (await vitest.globTestSpecifications(tests)).map((specification) => {
  return { specification, failures: 0, ms: 0 };
});
let changed = '';

process.on('message', async (path: string) => {
  vitest.invalidateFile(changed);
  vitest.invalidateFile(path);
  changed = path;
  process.send?.((await allPass()) ? 'passed' : 'failed');
});

async function allPass(): Promise<boolean> {
  files.sort((a, b) => b.failures - a.failures || a.ms - b.ms);
  for (const file of files) {
    const begun = performance.now();
    if (!(await passes(file.specification))) {
      file.failures++;
      return false;
    }
    file.ms = performance.now() - begun;
  }
  return files.length > 0;
}

/** Vitest answers with every file that it has ever run. */
async function passes(specification: TestSpecification): Promise<boolean> {
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  const own = testModules.find(({ moduleId }) => moduleId === specification.moduleId);
  return own?.state() === 'passed' && unhandledErrors.length === 0;
}
