/**
 * Makes docs/images/dashboard.png: starts Keyward with an embedded database and a real Prometheus,
 * sends some minutes of traffic, asks Prometheus for the panels' own expressions and draws the answers.
 * What Grafana makes of the dashboard is not shown by it. Ends what it has started.
 *
 *   KEYWARD_TEST_PROMETHEUS=$(command -v prometheus) KEYWARD_TEST_BROWSER=$(command -v chromium) \
 *     npm run dashboard [MINUTES]
 */
import { fileURLToPath } from 'node:url';
import { BROWSER, openBrowser } from '../test/browser/browser.ts';
import { startFuzzTarget } from '../test/fuzz/program.ts';
import { filledIn, type Panel, readPanels } from '../test/observability/files.ts';
import {
  PROMETHEUS,
  type RunningPrometheus,
  type Series,
  startPrometheus,
} from '../test/observability/prometheus.ts';
import { sendTraffic, trafficOf } from '../test/observability/traffic.ts';
import { PAGE_WIDTH, pageOf } from './dashboard/page.ts';
import type { Line, PanelData, TimeRange } from './dashboard/panel.ts';

const PICTURE = fileURLToPath(new URL('../docs/images/dashboard.png', import.meta.url));
const MINUTES = Number(process.argv[2] ?? 4);
const SCRAPE_SECONDS = 2;
const STEP_SECONDS = 4;
const RATE_INTERVAL = '20s';

if (!PROMETHEUS || !BROWSER)
  throw new Error('both programs must be named, as the head of this says');
const keyward = await startFuzzTarget();
try {
  await takePicture(await measure());
} finally {
  await keyward.stop();
}

/** What Prometheus has for each panel after the traffic. */
async function measure(): Promise<string> {
  const { url, rootKey } = keyward;
  const target = { address: new URL(url).host, token: rootKey, intervalSeconds: SCRAPE_SECONDS };
  const prometheus = await startPrometheus(target);
  try {
    const start = Date.now() / 1000;
    await sendTraffic(await trafficOf(url, rootKey), MINUTES * 60);
    const range = { start, end: Date.now() / 1000, step: STEP_SECONDS };
    const all: PanelData[] = [];
    for (const panel of readPanels()) {
      all.push({ panel, lines: await linesOf(panel, prometheus, range) });
    }
    return pageOf(all, range);
  } finally {
    await prometheus.end();
  }
}

async function linesOf(panel: Panel, prometheus: RunningPrometheus, range: TimeRange) {
  const lines: Line[] = [];
  for (const { expr, legendFormat } of panel.targets ?? []) {
    const { start, end, step } = range;
    const found = await prometheus.queryRange(filledIn(expr, RATE_INTERVAL), start, end, step);
    lines.push(...found.map((series) => lineOf(series, legendFormat)));
  }
  return lines;
}

function lineOf({ metric, values }: Series, legendFormat: string): Line {
  const name = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? '');
  return { name, points: values.map(([time, value]) => [time, Number(value)]) };
}

async function takePicture(page: string): Promise<void> {
  const browser = await openBrowser();
  try {
    const tab = await browser.newPage({ viewport: { width: PAGE_WIDTH, height: 1000 } });
    await tab.setContent(page);
    await tab.screenshot({ path: PICTURE, fullPage: true });
  } finally {
    await browser.close();
  }
  process.stdout.write(`${PICTURE}\n`);
}
