import closeWithGrace from 'close-with-grace';
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
import { createService, databaseWarnings } from './service.ts';

/** The service cannot start; the message says what to do. */
class StartError extends OperatorError {
  override name = 'StartError';
}

export const startCommand = defineCommand({
  name: 'start',
  summary: 'run the service (the default)',
  options: {},
  run: (_input, { settings }: CommandContext) => start(settings()),
});

/** Runs the service until a signal ends it. Resolves to the exit code. */
async function start(config: Config): Promise<number> {
  // Asynchronous: lines that come while one is being written go out together.
  const log = createLogger(config.logLevel, pino.destination({ dest: 1, sync: false }));
  const waiting = await startStartupServer(config, log).catch((error) => refusePort(config, error));
  let database: OpenDatabase | undefined;
  process.once('SIGTERM', leave);
  try {
    database = await openDatabase(config, log);
    process.off('SIGTERM', leave);
    return await serve(config, database, waiting, log);
  } catch (error) {
    await waiting.close();
    await database?.close();
    throw error;
  }
}

/** While it waits nothing has to be finished; as a container's process 1 nothing else would end it. */
function leave(): never {
  process.exit(0);
}

async function serve(config: Config, database: OpenDatabase, waiting: App, log: Logger) {
  const { secret, rootKey, url } = database;
  const service = await createService({
    config: { ...config, secret, rootKey },
    databaseUrl: url,
    log,
  });
  for (const warning of await databaseWarnings(service.internals.database)) log.warn(warning);
  if (secret === undefined) log.warn(NO_SECRET);
  const port = portOf(waiting);
  await waiting.close();
  await service.app.listen({ host: config.host, port }).catch((error) => refusePort(config, error));
  service.start();
  announce(config, database, port);

  const { promise, resolve } = Promise.withResolvers<number>();
  const stop = async (): Promise<number> => {
    const clean = await service.stop();
    const deadlineMs = config.shutdownSeconds * 100;
    const closed = await stopInOrder([{ name: 'database', deadlineMs, run: database.close }], log);
    return clean && closed ? 0 : 1;
  };
  // A second signal ends the process at once.
  closeWithGrace({ delay: config.shutdownSeconds * 1000, logger: false }, async ({ err }) => {
    if (err) log.fatal({ err }, 'stopping after an error that nothing handled');
    const code = await stop();
    resolve(err ? 1 : code);
    // It ends the process with 0 unless this fails.
    if (code !== 0) throw new Error('not all stopped cleanly');
  });
  database.lost.then(async () => {
    log.fatal('the embedded database ended unexpectedly');
    await stop();
    resolve(1);
  });
  return promise;
}

const NO_SECRET =
  'KEYWARD_SECRET is not set: after every start each key costs one argon2 computation again ' +
  '(10,000 keys in use: about 400 core-seconds). Set it to 32 or more random characters.';

function portOf(app: App): number {
  const [address] = app.addresses();
  if (typeof address !== 'object') throw new Error('the waiting room listens');
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

/** For people: where it is, and what to try. Holds no secret; the example reads the key's file. */
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
