import { type Logger, pino } from 'pino';
import type { Config } from './config.ts';
import { type OpenDatabase, openDatabase } from './db/open.ts';
import type { CommandContext } from './db/open-for-command.ts';
import type { App } from './http/app-type.ts';
import { createLogger } from './http/request-log.ts';
import { startStartupServer } from './http/startup-server.ts';
import { defineCommand } from './lib/command.ts';
import { stopInOrder } from './lib/lifecycle.ts';
import { OperatorError } from './lib/operator-error.ts';
import { stopRequest } from './lib/stop-request.ts';
import { createService, type Service } from './service.ts';

/** The share of a stop's time that remains for the embedded database. */
const DATABASE_STOP_SHARE = 0.1;

const NO_SECRET =
  'KEYWARD_SECRET is not set: after every start, the first use of each key costs an argon2 ' +
  'computation again (10,000 keys: about 400 core-seconds). Set it to 32 or more random characters.';

/** The service cannot start; the message says what to do. */
class StartError extends OperatorError {
  override name = 'StartError';
}

export const startCommand = defineCommand({
  name: 'start',
  summary: 'run the service (the default)',
  options: {},
  run: (_input, { settings, isUnderNpm }: CommandContext) => start(settings(), isUnderNpm),
});

/** Runs the service until it is asked to stop, then ends the process. */
async function start(config: Config, isUnderNpm: boolean): Promise<number> {
  const stopRequested = stopRequest(isUnderNpm);
  // Asynchronous: lines that arrive while one is being written are written together.
  const log = createLogger(config.logLevel, pino.destination({ dest: 1, sync: false }));
  const startup = await startStartupServer(config, log).catch((error) => refusePort(config, error));
  const opening = openDatabase(config, log);
  let database: OpenDatabase | null = null;
  try {
    database = await Promise.race([opening, stopRequested.then(() => null)]);
    if (!database) return await leaveEarly(config, opening);
    const service = await serve(config, database, startup, log);
    await Promise.race([stopRequested, unhandledError(log), lossOf(database, log)]);
    return await stop(config, service, database, log);
  } catch (error) {
    await startup.close();
    await database?.close();
    throw error;
  }
}

/** Only an embedded database has to be stopped; another may never answer. A failure is moot. */
async function leaveEarly({ databaseUrl }: Config, opening: Promise<OpenDatabase>): Promise<never> {
  if (databaseUrl === undefined) await opening.then(({ close }) => close()).catch(() => {});
  process.exit(0);
}

async function serve(config: Config, database: OpenDatabase, startup: App, log: Logger) {
  const { secret, rootKey, url: databaseUrl } = database;
  const service = await createService({
    config: { ...config, secret, rootKey },
    databaseUrl,
    log,
  });
  for (const warning of await service.databaseWarnings()) log.warn(warning);
  if (secret === undefined) log.warn(NO_SECRET);
  const port = portOf(startup);
  await startup.close();
  await service.app.listen({ host: config.host, port }).catch(async (error) => {
    // Its open connections would keep the process alive.
    await service.stop();
    refusePort(config, error);
  });
  service.start();
  announce(config, database, port);
  return service;
}

/** A second one, during the stop, ends the process as Node does by default. */
function unhandledError(log: Logger): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once('uncaughtException', (err) => {
    log.fatal({ err }, 'stopping after an unhandled error');
    process.exitCode = 1;
    resolve();
  });
  return promise;
}

async function lossOf({ lost }: OpenDatabase, log: Logger): Promise<void> {
  await lost;
  log.fatal('the embedded database ended unexpectedly');
  process.exitCode = 1;
}

async function stop(
  { shutdownSeconds }: Config,
  service: Service,
  database: OpenDatabase,
  log: Logger,
): Promise<never> {
  setTimeout(() => process.exit(1), shutdownSeconds * 1000).unref();
  const isServiceStopped = await service.stop();
  const deadlineMs = shutdownSeconds * 1000 * DATABASE_STOP_SHARE;
  const phase = { name: 'database', deadlineMs, run: database.close };
  const isDatabaseStopped = await stopInOrder([phase], log);
  process.exit(isServiceStopped && isDatabaseStopped ? process.exitCode : 1);
}

function portOf(app: App): number {
  const [address] = app.addresses();
  if (typeof address !== 'object') throw new Error('the startup server listens on a port');
  return address.port;
}

function refusePort({ host, port }: Config, error: unknown): never {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    throw new StartError(`Port ${port} is taken on ${host}; set PORT to a free one.`);
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    throw new StartError(`Cannot listen on ${host}:${port} (${code}); set HOST and PORT.`);
  }
  throw error;
}

/** Tells people where the service is and what to try. Contains no secret, only a file's path. */
function announce({ host }: Config, { dataDirectory, rootKeyFile }: OpenDatabase, port: number) {
  const base = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const lines = ['', `Keyward listens on ${base}`, `  API docs   ${base}/docs`];
  if (dataDirectory) lines.push(`  data       ${dataDirectory}`);
  if (rootKeyFile) {
    lines.push(
      `  root key   ${rootKeyFile}`,
      '',
      'Create a key:',
      `  curl -sS ${base}/v1/keys -H "Authorization: Bearer $(cat '${rootKeyFile}')" \\`,
      `    -H 'Content-Type: application/json' -d '{"name": "my first key"}'`,
    );
  }
  process.stderr.write(`${lines.join('\n')}\n\n`);
}
