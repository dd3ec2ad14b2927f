import { Writable } from 'node:stream';
import type { LightMyRequestResponse } from 'fastify';
import { inject, onTestFinished } from 'vitest';
import { type Config, readConfig } from '../../src/config.ts';
import { pepperFrom } from '../../src/domain/pepper.ts';
import { RootKey } from '../../src/domain/root-key.ts';
import type { App } from '../../src/http/app-type.ts';
import type { ServiceOptions } from '../../src/kernel.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createService, type Service } from '../../src/service.ts';
import { requireDocumented } from './documented.ts';
import { throughPgBouncer } from './pgbouncer.ts';

export const ROOT_KEY = 'root-key-of-the-tests-0123456789abcdef';
export const TEST_SECRET = 'secret-of-the-tests-0123456789abcdef';

export interface Answer {
  status: number;
  headers: LightMyRequestResponse['headers'];
  /** The body, parsed if it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
  text: string;
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  /** The key to send instead of the root key; null sends none. */
  as?: string | null;
}

/** A Keyward in this process, called without a socket. */
export interface Instance {
  service: Service;
  /** Every line logged so far. */
  logLines: string[];
  call: (method: string, url: string, options?: CallOptions) => Promise<Answer>;
  /** Moves its clock forward. */
  advance: (ms: number) => void;
  /** Writes its usage counters to the database, and adds them to what is read. */
  flush: () => Promise<void>;
  stop: () => Promise<void>;
}

/** Settings of a test; secrets as they are configured. */
export interface TestSettings extends Partial<Omit<Config, 'rootKey' | 'pepper'>> {
  rootKey?: string | undefined;
  secret?: string | undefined;
}

export async function launch(
  databaseUrl: string,
  settings: TestSettings = {},
  outside: Partial<Pick<ServiceOptions, 'writeLine' | 'resolveHost'>> = {},
): Promise<Instance> {
  const logLines: string[] = [];
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      logLines.push(String(chunk));
      done();
    },
  });
  let offset = 0;
  const connection = databaseSettings(databaseUrl);
  const service = await createService({
    writeLine: async () => {},
    config: { ...testConfig(databaseUrl), ...connection, ...toConfig(settings) },
    databaseUrl: connection.databaseUrl,
    log: createLogger('trace', sink),
    clockOffset: () => offset,
    ...outside,
  });
  reuseDocument(service.app);
  await service.app.ready();
  return {
    service,
    logLines,
    call: (method, url, options) => call(service, method, url, options),
    advance: (ms) => {
      offset += ms;
    },
    flush: async () => {
      await service.internals.flusher.flush();
      await service.internals.fold.foldAll();
    },
    stop: async () => {
      await service.stop();
    },
  };
}

let document: object | undefined;

/** To describe the calls takes as long as all the rest of a launch, and says the same each time. */
function reuseDocument(app: App): void {
  const describe = app.swagger.bind(app);
  Object.assign(app, {
    swagger: () => {
      document ??= describe();
      return document;
    },
  });
}

/** Launches an instance that stops when the test ends. */
export async function launchForTest(
  databaseUrl: string,
  settings: TestSettings = {},
  outside: Partial<Pick<ServiceOptions, 'writeLine' | 'resolveHost'>> = {},
): Promise<Instance> {
  const instance = await launch(databaseUrl, settings, outside);
  onTestFinished(instance.stop);
  return instance;
}

/** Connects to the database directly, or through the PgBouncer of this test run. */
export function databaseSettings(databaseUrl: string) {
  const pooledUrl = throughPgBouncer(databaseUrl, inject('pgbouncer'));
  return { databaseUrl: pooledUrl ?? databaseUrl, preparedStatements: !pooledUrl };
}

/** A secret that is given as undefined is not configured. */
function toConfig(settings: TestSettings): Partial<Config> {
  const { rootKey, secret, ...others } = settings;
  return {
    ...others,
    ...('rootKey' in settings ? { rootKey: rootKey ? new RootKey(rootKey) : null } : {}),
    ...('secret' in settings ? { pepper: pepperFrom(secret) } : {}),
  };
}

/** Argon2 is at its lowest cost; counters are flushed only when a test does so. */
function testConfig(databaseUrl: string): Config {
  return readConfig({
    DATABASE_URL: databaseUrl,
    KEYWARD_ROOT_KEY: ROOT_KEY,
    KEYWARD_SECRET: TEST_SECRET,
    KEYWARD_ARGON2_MEMORY_KIB: '8192',
    KEYWARD_ARGON2_ITERATIONS: '1',
    LOG_LEVEL: 'trace',
  });
}

async function call(
  service: Service,
  method: string,
  url: string,
  { body, headers = {}, as = ROOT_KEY }: CallOptions = {},
): Promise<Answer> {
  const response = await service.app.inject({
    method: method as 'GET',
    url,
    headers: {
      ...(as === null ? {} : { authorization: `Bearer ${as}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined
      ? {}
      : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const isJson = String(response.headers['content-type'] ?? '').includes('json');
  const answer = {
    status: response.statusCode,
    headers: response.headers,
    body: isJson ? response.json() : null,
    text: response.body,
  };
  requireDocumented(method, url, answer);
  return answer;
}
