import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config.ts';
import { temporaryFolder } from '../support/folder.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const UNIT = readFileSync(join(ROOT, 'deploy/systemd/keyward.service'), 'utf8');
const isInstalled = spawnSync('systemd-analyze', ['--version']).status === 0;

/** The unit, with the program of this clone. */
async function unitHere(): Promise<string> {
  const path = join(await temporaryFolder('keyward-unit-'), 'keyward.service');
  await writeFile(path, UNIT.replaceAll('/opt/keyward', ROOT.replace(/\/$/, '')));
  return path;
}

async function analyze(...args: string[]) {
  const options = { encoding: 'utf8' } as const;
  return spawnSync('systemd-analyze', [...args, await unitHere()], options);
}

describe('deploy/systemd/keyward.service', () => {
  it.skipIf(!isInstalled)('systemd knows every line of the unit', async () => {
    const { status, stderr } = await analyze('verify', '--man=no');
    // What other units of this machine lack is told too.
    const own = stderr.split('\n').filter((line) => line.includes('keyward'));
    expect({ status, own }).toEqual({ status: 0, own: [] });
  });

  it.skipIf(!isInstalled)(
    'systemd rates the exposure of the unit at 1.5 of 10 or less',
    async () => {
      const { status, stdout } = await analyze('security', '--offline=true', '--threshold=15');
      expect(Number(/exposure level .*: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThanOrEqual(1.5);
      expect(status).toBe(0);
    },
  );

  it('systemd waits for a stop for longer than Keyward takes for one', () => {
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(UNIT)?.[1]);
    expect(seconds).toBeGreaterThan(Number(SETTINGS.KEYWARD_SHUTDOWN_SECONDS.default));
  });
});
