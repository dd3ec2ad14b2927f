import type { Logger } from 'pino';
import type { Config } from './config.ts';
import { type OpenDatabase, openDatabase } from './db/open.ts';
import type { CommandContext } from './db/open-for-command.ts';
import { whenReady } from './db/wait.ts';
import type { App } from './http/app-type.ts';
import { startStartupServer } from './http/startup-server.ts';
import { defineCommand } from './lib/command.ts';
import { createLogger, standardOutput, type WriteLine } from './lib/logger.ts';
import { OperatorError } from './lib/operator-error.ts';
import { StopRequest, untilStopped } from './lib/stop.ts';
import { stopInOrder } from './lib/stop-phases.ts';
import { createService, type Service } from './service.ts';

/** What the embedded database may take of the time that a stop has left: the rest is for its line in the log. */
const DATABASE_STOP_SHARE = 0.9;

const NO_SECRET =
  'KEYWARD_SECRET is not set: after every start, the first use of each key costs an argon2 ' +
  'computation again (10,000 keys: about 400 core-seconds), and who can write to the database can ' +
  'rewrite the audit log unseen.';
const SET_SECRET =
  'Set it to 32 or more random characters (openssl rand -hex 32), the same on every instance; or ' +
  'set KEYWARD_ALLOW_NO_SECRET=on to start without one.';

/** The service cannot start or go on; the message says what to do. */
class StartError extends OperatorError {
  override name = 'StartError';
}

export const startCommand = defineCommand({
  name: 'start',
  summary: 'run the service (the default)',
  options: {},
  run: (_input, { settings, stop }: CommandContext) => start(settings(), stop),
});

/** Runs the service until a signal ends it, at whatever moment. Resolves to the exit code. */
async function start(config: Config, stop: AbortSignal): Promise<number> {
  requireSecret(config);
  const output = standardOutput();
  const log = createLogger(config.logLevel, output.log);
  const stopTimeLeft = limitStop(stop, config.shutdownSeconds * 1000);
  const startup = await startStartupServer(config).catch((error) => refusePort(config, error));
  try {
    const { writeLine } = output;
    return (await runOnDatabase({ config, log, writeLine, stop, stopTimeLeft, startup })) ? 0 : 1;
  } catch (error) {
    if (error instanceof StopRequest) return 0;
    throw error;
  } finally {
    await startup.close();
  }
}

/** The embedded database makes a secret of its own. */
function requireSecret({ databaseUrl, pepper, allowNoSecret }: Config): void {
  if (databaseUrl === undefined || pepper || allowNoSecret) return;
  throw new StartError(`${NO_SECRET} ${SET_SECRET}`);
}

/** A stop that takes longer ends all the same. Returns how many milliseconds one has left. */
function limitStop(stop: AbortSignal, limitMs: number): () => number {
  let deadline = Number.POSITIVE_INFINITY;
  stop.addEventListener('abort', () => {
    deadline = performance.now() + limitMs;
    setTimeout(() => process.exit(1), limitMs).unref();
  });
  return () => Math.min(limitMs, deadline - performance.now());
}

interface Start {
  config: Config;
  log: Logger;
  writeLine: WriteLine;
  stop: AbortSignal;
  stopTimeLeft: () => number;
  startup: App;
}

/** Resolves to whether everything stopped cleanly. */
async function runOnDatabase(start: Start): Promise<boolean> {
  const { config, log, stop, stopTimeLeft } = start;
  const database = await openDatabase(config, log, stop);
  const close = () => {
    const deadlineMs = stopTimeLeft() * DATABASE_STOP_SHARE;
    return stopInOrder([{ name: 'database', deadlineMs, run: () => database.close() }], log);
  };
  try {
    const isServiceStopped = await runService(start, database);
    return (await close()) && isServiceStopped;
  } catch (error) {
    const isClosed = await close();
    if (error instanceof StopRequest) return isClosed;
    throw error;
  }
}

async function runService(start: Start, database: OpenDatabase): Promise<boolean> {
  const { config, log, writeLine, stop } = start;
  const lost = database.lost.then((): never => {
    throw new StartError('The embedded database ended unexpectedly; its log is server.log.');
  });
  const { pepper, rootKey, url: databaseUrl } = database;
  const options = { config: { ...config, pepper, rootKey }, databaseUrl, log, writeLine };
  const built = whenReady(() => createService(options), log, stop);
  const service = await Promise.race([built, lost]);
  try {
    await serve(start, service, database);
    return await untilStopped(stop, lost);
  } catch (error) {
    const isUnhandled = error === stop.reason && !(error instanceof StopRequest);
    // Told by the log alone, which leaves out the message: it may quote anything.
    if (isUnhandled)
      log.fatal({ event: 'stop.unhandled_error', err: error }, 'stopping after an unhandled error');
    const isStopped = await service.stop();
    if (isUnhandled) return false;
    if (error instanceof StopRequest) return isStopped;
    throw error;
  }
}

/** From the startup server to the service on the same port. */
async function serve(
  { config, startup, log }: Start,
  service: Service,
  database: OpenDatabase,
): Promise<void> {
  const warnings = [...service.warnings, ...(database.pepper ? [] : [NO_SECRET])];
  for (const warning of warnings) log.warn({ event: 'start.warning' }, warning);
  const port = portOf(startup);
  await startup.close();
  await listen(service.app, config.host, port).catch((error) => refusePort(config, error));
  service.start();
  const base = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  log.info({ event: 'start.listening' }, `Server listening at ${base}`);
  if (process.stdout.isTTY && process.stderr.isTTY) announce(base, database, service.signInLink);
}

/** Fastify would write a line for each address of the host. */
async function listen(app: App, host: string, port: number): Promise<void> {
  const { level } = app.log;
  app.log.level = 'silent';
  await app.listen({ host, port }).finally(() => {
    app.log.level = level;
  });
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

/**
 * Tells people where the service is and what to try, on a terminal alone: with the embedded database it has a
 * link that signs in once.
 */
function announce(
  base: string,
  { dataDirectory, rootKeyFile }: OpenDatabase,
  signInLink: (() => string) | null,
): void {
  const lines = ['', `Keyward listens on ${base}`, `  API docs   ${base}/docs`];
  // With a database of the operator, more people than the operator may read the terminal.
  const link = signInLink && rootKeyFile ? `#${signInLink()}   (signs in, once)` : '';
  if (signInLink) lines.push(`  console    ${base}/console${link}`);
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
