import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../test/support/free-port.ts';

const LISTENS = /Server listening at (http:[^\s"]+)/;
const ROOT_KEY = 'root-key-of-the-operations-0123456789';

/** What answers of any version are looked into for; each has a part of it. */
interface Body {
  id: string;
  key: string;
  code: string;
  byCode?: Record<string, number>;
  credits?: { remaining: number };
  scopes?: string[];
  metadata?: object;
  data?: unknown[];
  sequence?: number;
  hash?: string;
}

const EMPTY: Body = { id: '', key: '', code: '' };

export interface Answer {
  status: number;
  body: Body;
}

/** Where a state of the code is, and the settings that it is run with. */
export interface Program {
  folder: string;
  settings: Record<string, string>;
}

/** A running Keyward, of any version. */
export class Keyward {
  readonly #child: ChildProcess;
  readonly url: string;
  readonly output: () => string;

  private constructor(child: ChildProcess, url: string, output: () => string) {
    this.#child = child;
    this.url = url;
    this.output = output;
  }

  static async start(program: Program): Promise<Keyward> {
    // Not each version takes 0 for any free one.
    const settings = { ...program.settings, PORT: String(await freePort()) };
    const child = run({ ...program, settings }, []);
    const output = collect(child);
    const ended = once(child, 'close');
    const listening = new Promise<string>((resolve) => {
      child.stdout?.on('data', () => {
        const found = LISTENS.exec(output())?.[1];
        if (found) resolve(found);
      });
    });
    const url = await Promise.race([listening, ended.then(() => null)]);
    if (url === null) throw new Error(`ended at its start:\n${output()}`);
    return new Keyward(child, url, output);
  }

  /** As the root key; status 0 if there is no answer. */
  async call(method: string, path: string, body?: object): Promise<Answer> {
    const headers: Record<string, string> = { authorization: `Bearer ${ROOT_KEY}` };
    if (body) headers['content-type'] = 'application/json';
    const options = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    try {
      const answer = await fetch(this.url + path, options);
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? EMPTY : JSON.parse(text) };
    } catch {
      return { status: 0, body: EMPTY };
    }
  }

  /** The verdict, or the status where there is none. */
  async verdict(key: string, more: object = {}): Promise<string> {
    const { status, body } = await this.call('POST', '/v1/verify', { key, ...more });
    return status === 200 ? body.code : String(status);
  }

  async usage(id: string): Promise<Record<string, number>> {
    return (await this.call('GET', `/v1/keys/${id}/usage`)).body.byCode ?? {};
  }

  async metrics(): Promise<string> {
    const headers = { authorization: `Bearer ${ROOT_KEY}` };
    return (await fetch(`${this.url}/metrics`, { headers })).text();
  }

  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'close');
    return this.#child.exitCode;
  }
}

/** Runs a command to its end. */
export async function command(program: Program, words: readonly string[]) {
  const child = run(program, words);
  const output = collect(child);
  await once(child, 'close');
  return { code: child.exitCode, output: output() };
}

function run({ folder, settings }: Program, words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [`${folder}/src/main.ts`, ...words], {
    cwd: '/',
    env: {
      PATH: process.env.PATH,
      KEYWARD_ROOT_KEY: ROOT_KEY,
      KEYWARD_ARGON2_MEMORY_KIB: '8192',
      KEYWARD_ARGON2_ITERATIONS: '1',
      KEYWARD_USAGE_FLUSH_MS: '200',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
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
