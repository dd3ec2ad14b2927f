import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { ROOT_KEY, type SharedProgram, startSharedProgram } from '../support/shared-program.ts';
import { DEPLOY, readAlerts, readExpressions } from './files.ts';
import {
  installConfig,
  PROMETHEUS,
  PROMTOOL,
  type RunningPrometheus,
  startPrometheus,
} from './prometheus.ts';
import { sendTraffic, trafficOf } from './traffic.ts';

const promtool = (...args: string[]) => promisify(execFile)(PROMTOOL, args, { cwd: DEPLOY });
const TRAFFIC_SECONDS = 8;
/** A minute after the start at the earliest. */
const NOT_YET = [
  'panel Time since the last success',
  'panel Age of the oldest open hour',
  'panel Age of the oldest event that waits',
  'panel Time since workspaces were looked at',
];
const target = (address: string) => ({ address, token: ROOT_KEY, intervalSeconds: 1 });

describe.runIf(PROMTOOL !== '')('promtool', { timeout: 120_000 }, () => {
  it('promtool accepts the alert rules', async () => {
    const { stdout } = await promtool('check', 'rules', 'keyward-alerts.yml');
    expect(stdout).toContain(`SUCCESS: ${readAlerts().length} rules found`);
  });

  it('every alert fires and stays silent as keyward-alerts.test.yml says', async () => {
    const { stdout } = await promtool('test', 'rules', 'keyward-alerts.test.yml');
    expect(stdout).toContain('SUCCESS');
  });

  it('promtool accepts the configuration of Prometheus with its token and rules', async () => {
    const folder = await temporaryFolder('keyward-promtool-');
    const config = await installConfig(folder, target('127.0.0.1:8080'));
    const { stdout } = await promtool('check', 'config', config);
    expect(stdout).toContain('is valid prometheus config file syntax');
  });
});

describe.runIf(PROMETHEUS !== '')('a real Prometheus', { timeout: 60_000 }, () => {
  let keyward: SharedProgram;
  let prometheus: RunningPrometheus;

  beforeAll(async () => {
    keyward = await startSharedProgram();
    prometheus = await startPrometheus(target(new URL(keyward.url).host));
    await sendTraffic(await trafficOf(keyward.url, ROOT_KEY), TRAFFIC_SECONDS);
  });
  afterAll(async () => {
    await prometheus?.end();
    await keyward?.end();
  });

  it('a real Prometheus reads the metrics of Keyward with their token', async () => {
    const up = () => prometheus.query('up{job="keyward"}');
    await expect.poll(up).toMatchObject([{ value: [expect.anything(), '1'] }]);
  });

  it.each(readExpressions())(
    'Prometheus answers the expression of $of: $expr',
    async ({ expr }) => {
      await expect(prometheus.query(expr)).resolves.toBeInstanceOf(Array);
    },
  );

  it('after a little traffic every panel has data, but for what comes with the first minute', async () => {
    const panels = readExpressions().filter(({ of }) => of.startsWith('panel '));
    const empty = await Promise.all(
      panels.map(async ({ of, expr }) => ((await prometheus.query(expr)).length > 0 ? [] : [of])),
    );
    expect(empty.flat().filter((panel) => !NOT_YET.includes(panel))).toEqual([]);
  });

  it('Prometheus evaluates every alert, and none fires under a little traffic', async () => {
    const names = readAlerts().map(({ alert }) => [alert, 'ok']);
    await expect.poll(prometheus.ruleHealth).toEqual(Object.fromEntries(names));
    expect(await prometheus.query('ALERTS{alertstate="firing"}')).toEqual([]);
  });
});
