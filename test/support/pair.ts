import { afterAll, beforeAll } from 'vitest';
import type { Permission } from '../../src/domain/caller.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { undocumentedEvents } from './event-schemas.ts';
import {
  type Answer,
  type CallOptions,
  type Instance,
  launch,
  type TestSettings,
} from './instance.ts';

/** Two instances on one fresh database. */
export class Pair {
  readonly #settings: TestSettings;
  #database: TestDatabase | undefined;
  #instances: readonly Instance[] = [];

  constructor(settings: TestSettings = {}) {
    this.#settings = settings;
  }

  async start(): Promise<void> {
    this.#database = await createTestDatabase();
    const { url } = this.#database;
    this.#instances = [await launch(url, this.#settings), await launch(url, this.#settings)];
  }

  async stop(): Promise<void> {
    for (const instance of this.#instances) await instance.stop();
    const undocumented = this.#database ? await undocumentedEvents(this.#database.url) : [];
    await this.#database?.drop();
    if (undocumented.length > 0) throw new Error(`events differ: ${undocumented.join(', ')}`);
  }

  get first(): Instance {
    return this.#instance(0);
  }

  get second(): Instance {
    return this.#instance(1);
  }

  get databaseUrl(): string {
    if (!this.#database) throw new Error('the pair has not been started');
    return this.#database.url;
  }

  /** Moves the clocks of both forward. */
  advance(ms: number): void {
    for (const instance of this.#instances) instance.advance(ms);
  }

  /** Writes the usage counters of both. */
  async flush(): Promise<void> {
    for (const instance of this.#instances) await instance.flush();
  }

  #instance(index: number): Instance {
    const instance = this.#instances[index];
    if (!instance) throw new Error('the pair has not been started');
    return instance;
  }
}

/** Starts a pair for the tests of the file or block that calls this. */
export function usePair(settings: TestSettings = {}): Pair {
  const pair = new Pair(settings);
  beforeAll(() => pair.start());
  afterAll(() => pair.stop());
  return pair;
}

export interface ManagementKeyOptions {
  permissions: readonly Permission[];
  workspaceId?: string | null;
  expiresInSeconds?: number;
  maxRequestsPerSecond?: number | null;
}

/** Creates a management key with the root key. */
export async function createManagementKey(instance: Instance, options: ManagementKeyOptions) {
  const body = { name: 'a management key', workspaceId: null, ...options };
  const answer = await instance.call('POST', '/v1/management-keys', { body });
  if (answer.status !== 201) throw new Error(`no management key: ${answer.text}`);
  return { id: String(answer.body.id), key: String(answer.body.key) };
}

/** Creates or replaces a workspace. */
export async function putWorkspace(instance: Instance, id: string, body: object = {}) {
  const answer = await instance.call('PUT', `/v1/workspaces/${id}`, { body });
  if (answer.status > 201) throw new Error(`no workspace: ${answer.text}`);
  return answer;
}

/** The audit entries of one target, newest first. */
export async function auditOf(instance: Instance, targetId: string, workspaceId = 'default') {
  const url = `/v1/audit-events?targetId=${targetId}&workspaceId=${workspaceId}`;
  const { body } = await instance.call('GET', url);
  return body.data;
}

/** Repeats a call while it answers 503, as a client that obeys `Retry-After`. */
export async function retryOn503(
  instance: Instance,
  method: string,
  url: string,
  options: CallOptions,
): Promise<Answer> {
  for (;;) {
    const answer = await instance.call(method, url, options);
    if (answer.status !== 503) return answer;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Sends the same call many times at once, half of them to each instance. */
export function callConcurrently(
  pair: Pair,
  calls: number,
  call: (instance: Instance, index: number) => Promise<Answer>,
): Promise<Answer[]> {
  return Promise.all(
    Array.from({ length: calls }, (_, index) =>
      call(index % 2 === 0 ? pair.first : pair.second, index),
    ),
  );
}

/** Counts the answers by status and, if they are errors, by code. */
export function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const outcome = status < 400 ? `${status}` : `${status} ${body.code}`;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}
