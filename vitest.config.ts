import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { keepTemporaryFoldersInMemory } from './test/support/temporary-folders.ts';

keepTemporaryFoldersInMemory();

/** Where CI wants the counts of this run. */
const report = process.env.KEYWARD_TEST_REPORT;

/** Begins with what waits a minute for its job, so that nothing is waited for at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const waits = ({ moduleId }: TestSpecification) => moduleId.includes('features-alerts');
    const sorted = await super.sort(files);
    return [...sorted.filter(waits), ...sorted.filter((file) => !waits(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Only what never comes waits as long: a loaded machine is no reason to fail.
    expect: { poll: { timeout: 20_000 } },
    // One more than two cores: a third of the time, a test waits for Postgres or for a timeout.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // The modules of src stay loaded from one file to the next: loading them costs more than most tests.
    isolate: false,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
