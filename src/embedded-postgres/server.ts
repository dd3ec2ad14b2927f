import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Binaries } from './binaries.ts';
import type { Cluster } from './cluster.ts';
import { type Endpoint, endpointSettings } from './endpoint.ts';
import { EmbeddedPostgresError, errorMessage } from './errors.ts';
import { settingArguments } from './settings.ts';
import { stopServer } from './signals.ts';
import { bareEnvironment, type Runner } from './unprivileged.ts';

export interface ServerOptions {
  binaries: Binaries;
  runner: Runner;
  cluster: Cluster;
  directory: string;
  log: string;
  durable: boolean;
  settings: Readonly<Record<string, string>>;
}

export interface Server {
  pid: number;
  /** Resolves when the process has ended, for any reason. */
  exited: Promise<void>;
  hasEnded(): boolean;
  stop(): Promise<void>;
}

/** Starts the process, which is not ready for queries yet. */
export async function spawnServer(options: ServerOptions, endpoint: Endpoint): Promise<Server> {
  const { child, exited, pid } = await spawnWithLog(options, endpoint);
  // Our process waits for it only during a stop.
  child.unref();
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async () => {
    child.ref();
    const { binaries, runner } = options;
    if (await stopServer({ pid, pgCtl: binaries.pgCtl, runner, hasEnded, mayKill: true })) return;
    throw new EmbeddedPostgresError(`the embedded Postgres (pid ${pid}) does not stop; end it`);
  };
  return { pid, exited, hasEnded, stop };
}

interface Spawned {
  child: ChildProcess;
  exited: Promise<void>;
  pid: number;
}

async function spawnWithLog(options: ServerOptions, endpoint: Endpoint): Promise<Spawned> {
  const log = await open(options.log, 'a', 0o600);
  try {
    const child = spawnDetached(options, endpoint, log.fd);
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    return { child, exited, pid: await startedPid(child) };
  } finally {
    await log.close();
  }
}

/** Detached, because Ctrl-C signals the whole process group and would stop Postgres too early. */
function spawnDetached(options: ServerOptions, endpoint: Endpoint, log: number): ChildProcess {
  const { binaries, runner, cluster, directory, durable, settings } = options;
  const postgres = [binaries.postgres, '-D', cluster.data];
  const [program = binaries.postgres, ...args] = [...runner.prefix, ...postgres];
  return spawn(
    program,
    [...args, ...settingArguments(durable, settings, endpointSettings(endpoint))],
    {
      cwd: directory,
      detached: true,
      env: bareEnvironment(),
      stdio: ['ignore', log, log],
      windowsHide: true,
      ...runner.account,
    },
  );
}

/** The prefix runs the program in its own process, so this pid is the postmaster's. */
async function startedPid(child: ChildProcess): Promise<number> {
  const problem: unknown = await once(child, 'spawn').then(
    () => undefined,
    (error: unknown) => error,
  );
  if (child.pid !== undefined && problem === undefined) return child.pid;
  throw new EmbeddedPostgresError(
    `the embedded Postgres could not be started (${errorMessage(problem)}); correct that, or set DATABASE_URL`,
  );
}
