import { spawn, spawnSync } from 'node:child_process';

export interface RunOptions {
  name: string;
  /** As `UID:GID`; by default the image's own. */
  user?: string;
  env?: Record<string, string>;
  /** Folders and files by their path in the container, read-only. */
  mounts?: Record<string, string>;
}

/** No writable folders of its own, and limits that it may set inside of a container too. */
const PODMAN = [
  '--read-only-tmpfs=false',
  ...['--ulimit', 'nofile=10000:10000', '--ulimit', 'nproc=4096:4096'],
];

/** Docker or podman, with the arguments that come before each command. */
export class Engine {
  readonly #program: string;
  readonly #options: readonly string[];
  readonly #image: string;

  constructor(image: string, [program = '', ...options]: readonly string[]) {
    this.#image = image;
    this.#program = program;
    this.#options = options;
  }

  get isPodman(): boolean {
    return this.#program.endsWith('podman');
  }

  /** Runs a command of the engine; returns what it prints. */
  call(...args: string[]): string {
    const { status, stdout, stderr } = this.#spawn(args);
    if (status !== 0) throw new Error(`${args[0]} failed (${status}): ${stderr.trim()}`);
    return stdout.trim();
  }

  /** As `call`, for what may fail: returns the exit code. */
  codeOf(...args: string[]): number | null {
    return this.#spawn(args).status;
  }

  /** Starts a container with all restrictions; returns when it runs. */
  start(options: RunOptions): void {
    this.call('run', '--detach', ...this.#restricted(options), this.#image);
  }

  /** Runs a command in a container of its own until it ends. */
  runOnce(options: RunOptions, ...command: string[]): string {
    return this.call('run', '--rm', ...this.#restricted(options), this.#image, ...command);
  }

  /** Sends SIGTERM; resolves to the exit code and how long the container took to end. */
  async stop(name: string): Promise<{ code: number; ms: number }> {
    const started = performance.now();
    this.call('kill', '--signal', 'TERM', name);
    const waiting = spawn(this.#program, [...this.#options, 'wait', name]);
    let printed = '';
    waiting.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    await new Promise((resolve) => waiting.on('close', resolve));
    return { code: Number(printed.trim()), ms: Math.round(performance.now() - started) };
  }

  /** Both streams. */
  logsOf(name: string): string {
    const { stdout, stderr } = this.#spawn(['logs', name]);
    return stdout + stderr;
  }

  remove(name: string): void {
    this.#spawn(['rm', '--force', name]);
  }

  #spawn(args: readonly string[]) {
    return spawnSync(this.#program, [...this.#options, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
  }

  #restricted({ name, user, env = {}, mounts = {} }: RunOptions): string[] {
    return [
      ...['--name', name, '--network', 'host', '--read-only', '--cap-drop', 'ALL'],
      ...['--security-opt', 'no-new-privileges', '--ulimit', 'core=0'],
      ...(this.isPodman ? PODMAN : []),
      ...(user === undefined ? [] : ['--user', user]),
      ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...Object.entries(mounts).flatMap(([to, from]) => ['--volume', `${from}:${to}:ro`]),
    ];
  }
}
