import { spawnSync } from 'node:child_process';
import { find, runClientSuite } from './client-suite.ts';

/**
 * Tests clients/python against a started Keyward, with the Python that KEYWARD_TEST_PYTHON names, that of
 * the system, or the first of the PATH, whichever has what the tests need.
 */
const NEEDS = ['httpx', 'fastapi', 'django', 'pytest'];
const DEBIAN = 'apt-get install python3-httpx python3-fastapi python3-django python3-pytest';

const named = process.env.KEYWARD_TEST_PYTHON;
const python = (named ? [named] : ['/usr/bin/python3', find('python3')]).find(
  (program) => program && has(program, NEEDS),
);

if (python) {
  const typed = has(python, ['mypy']) ? [[python, '-m', 'mypy', 'keyward']] : [];
  process.env.PYTHONDONTWRITEBYTECODE = '1';
  await runClientSuite('python', [
    [python, '--version'],
    ...typed,
    [python, '-m', 'pytest', '-q', '--no-header'],
  ]);
} else {
  process.stdout.write(
    `A Python with ${NEEDS.join(', ')} is not installed: the tests of clients/python are SKIPPED (Debian: ${DEBIAN}).\n`,
  );
}

function has(program: string, modules: string[]): boolean {
  const imports = `import sys, ${modules.join(', ')}; assert sys.version_info >= (3, 9)`;
  return spawnSync(program, ['-c', imports], { stdio: 'ignore' }).status === 0;
}
