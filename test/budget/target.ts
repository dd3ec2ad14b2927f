import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startTestPostgres } from '../support/postgres-server.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const WATCH = new URL('./watch.ts', import.meta.url).href;
const LISTENS = /Server listening at (http:[^\s"]+)/;
export const ROOT_KEY = 'root-key-of-the-budget-0123456789abcdef';

/** The real program, whose event loop is watched, and the database that it runs on. */
export interface Target {
  url: string;
  client: pg.Client;
  /** Asks the program's watch. */
  ask: (message: 'watch' | 'calibrate') => Promise<Record<string, number>>;
  output: () => string;
  stop: () => Promise<void>;
}

export async function startTarget(githubKeysUrl: string): Promise<Target> {
  const postgres = await startTestPostgres();
  const name = `keyward_budget_${process.pid}`;
  const admin = new pg.Client(postgres.url);
  await admin.connect();
  await admin.query(`create database ${name}`);
  const databaseUrl = new URL(postgres.url);
  databaseUrl.pathname = `/${name}`;
  const child = launch(databaseUrl.href, githubKeysUrl);
  const output = collect(child);
  const end = async () => {
    child.kill('SIGTERM');
    await once(child, 'close');
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
    await postgres.stop();
  };
  try {
    const url = await listening(child, output);
    const client = new pg.Client(databaseUrl.href);
    client.on('error', () => {});
    await client.connect();
    const stop = () => client.end().then(end);
    return { url, client, ask: (message) => ask(child, message), output, stop };
  } catch (error) {
    await end();
    throw error;
  }
}

function launch(databaseUrl: string, githubKeysUrl: string): ChildProcess {
  return spawn(process.execPath, ['--import', WATCH, MAIN], {
    cwd: '/',
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATABASE_URL: databaseUrl,
      KEYWARD_ROOT_KEY: ROOT_KEY,
      KEYWARD_SECRET: 'secret-of-the-budget-0123456789abcdef',
      KEYWARD_ARGON2_MEMORY_KIB: '8192',
      KEYWARD_ARGON2_ITERATIONS: '1',
      KEYWARD_LEAK_REPORTS: 'on',
      KEYWARD_GITHUB_KEYS_URL: githubKeysUrl,
      // Events are sent to a closed port of this machine, and to no other.
      KEYWARD_WEBHOOK_NETWORKS: '127.0.0.1',
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
}

function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return () => text;
}

async function listening(child: ChildProcess, output: () => string): Promise<string> {
  while (child.exitCode === null) {
    const url = LISTENS.exec(output())?.[1];
    if (url) return url;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the program ended at start:\n${output()}`);
}

async function ask(child: ChildProcess, message: string): Promise<Record<string, number>> {
  const answered = once(child, 'message');
  child.send(message);
  const [answer] = await answered;
  return answer;
}
