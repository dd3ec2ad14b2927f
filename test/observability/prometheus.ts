import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEPLOY } from './files.ts';

/** Empty if they are not installed; scripts/test-observability.sh finds them. */
export const PROMETHEUS = process.env.KEYWARD_TEST_PROMETHEUS ?? '';
export const PROMTOOL = process.env.KEYWARD_TEST_PROMTOOL ?? '';

const LISTENS = /msg="Listening on" address=([\d.]+:\d+)/;

/** One line of a graph: its labels, and pairs of seconds since 1970 and a value. */
export interface Series {
  metric: Record<string, string>;
  values: [number, string][];
}

interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

interface ApiAnswer<Result> {
  status: string;
  error?: string;
  data: { result: Result[] };
}

export interface RunningPrometheus {
  query: (expr: string) => Promise<Sample[]>;
  queryRange: (expr: string, start: number, end: number, step: number) => Promise<Series[]>;
  /** The health of each rule, `ok` or `err`, by the name of its alert. */
  ruleHealth: () => Promise<Record<string, string>>;
  end: () => Promise<void>;
}

export interface ScrapeTarget {
  /** Host and port. */
  address: string;
  token: string;
  intervalSeconds: number;
}

/** The files of deploy/observability in a folder of their own, changed in addresses and times alone. */
export async function installConfig(folder: string, target: ScrapeTarget): Promise<string> {
  let config = await readFile(join(DEPLOY, 'prometheus.yml'), 'utf8');
  for (const [from, to] of [
    ['scrape_interval: 15s', `scrape_interval: ${target.intervalSeconds}s`],
    ['evaluation_interval: 15s', `evaluation_interval: ${target.intervalSeconds}s`],
    ["'keyward:8080'", `'${target.address}'`],
    ["'alertmanager:9093'", "'127.0.0.1:9'"],
  ] as const) {
    if (!config.includes(from)) throw new Error(`prometheus.yml has no ${from}`);
    config = config.replace(from, to);
  }
  await writeFile(join(folder, 'prometheus.yml'), config);
  await writeFile(join(folder, 'keyward-metrics-token'), target.token, { mode: 0o600 });
  const rules = await readFile(join(DEPLOY, 'keyward-alerts.yml'));
  await writeFile(join(folder, 'keyward-alerts.yml'), rules);
  return join(folder, 'prometheus.yml');
}

/** A real Prometheus on a free port of loopback, with its data in a folder that goes with it. */
export async function startPrometheus(target: ScrapeTarget): Promise<RunningPrometheus> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'keyward-prometheus-'));
  const config = await installConfig(folder, target);
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
  ];
  const child = spawn(PROMETHEUS, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  const end = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const address = await listeningAddress(child.stderr, ended).catch(async (error) => {
    await end();
    throw error;
  });
  return { ...apiOf(`http://${address}/api/v1/`), end };
}

async function listeningAddress(
  stderr: NodeJS.ReadableStream,
  ended: Promise<unknown>,
): Promise<string> {
  let printed = '';
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    const address = LISTENS.exec(printed)?.[1];
    if (address) resolve(address);
  });
  ended.then(() => reject(new Error(`Prometheus ended at start: ${printed}`)), reject);
  return promise;
}

function apiOf(url: string): Omit<RunningPrometheus, 'end'> {
  const ask = async <Result>(path: string, params: Record<string, string>): Promise<Result[]> => {
    const answer = await fetch(`${url}${path}?${new URLSearchParams(params)}`);
    const { status, error, data }: ApiAnswer<Result> = JSON.parse(await answer.text());
    if (status !== 'success') throw new Error(`${params.query}: ${error}`);
    return data.result;
  };
  return {
    query: (query) => ask<Sample>('query', { query }),
    queryRange: (query, start, end, step) =>
      ask<Series>('query_range', { query, start: `${start}`, end: `${end}`, step: `${step}` }),
    ruleHealth: async () => {
      const { data }: RulesAnswer = JSON.parse(await (await fetch(`${url}rules`)).text());
      const rules = data.groups.flatMap((group) => group.rules);
      return Object.fromEntries(rules.map(({ name, health }) => [name, health]));
    },
  };
}

interface RulesAnswer {
  data: { groups: { rules: { name: string; health: string }[] }[] };
}
