import { execFile } from 'node:child_process';
import { chown, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedPostgresError, errorCode } from './errors.ts';

/** How server programs are run, because Postgres refuses to run as root. */
export interface Runner {
  /** Put before each command. */
  prefix: readonly string[];
  /** The account to run as; null: the current one. */
  account: Account | null;
}

interface Account {
  uid: number;
  gid: number;
}

interface Outcome {
  ok: boolean;
  stdout: string;
  stderr: string;
}

// Inside the namespace Postgres is an ordinary user; outside, its files belong to root, nothing is
// chowned, and a home directory of mode 700 stays reachable.
const USER_NAMESPACE: Runner = {
  prefix: ['unshare', '--user', '--map-user=65534', '--map-group=65534'],
  account: null,
};
export const CURRENT_USER: Runner = { prefix: [], account: null };
const ACCOUNTS = ['postgres', 'nobody'];
const RUN_DEADLINE_MS = 120_000;

/** Chooses how Postgres runs on this directory; every start comes to the same result. */
export async function chooseRunner(postgres: string, directory: string): Promise<Runner> {
  if (process.getuid?.() !== 0) return CURRENT_USER;
  const owner = await stat(directory);
  if (owner.uid !== 0) return runAsDirectoryOwner(postgres, directory, owner);
  if (await canServe(USER_NAMESPACE, postgres, directory)) return USER_NAMESPACE;
  return chooseAccount(postgres, directory);
}

/** Runs a program to its end, which `stop` brings about; `ok` means exit code 0. */
export function run(
  runner: Runner,
  file: string,
  args: string[],
  cwd: string,
  stop?: AbortSignal,
): Promise<Outcome> {
  const [program = file, ...rest] = [...runner.prefix, file, ...args];
  const options = { cwd, env: bareEnvironment(), timeout: RUN_DEADLINE_MS, ...runner.account };
  return new Promise((resolve) => {
    const child = execFile(program, rest, options, (error, stdout, stderr) => {
      stop?.removeEventListener('abort', end);
      resolve({ ok: error === null, stdout, stderr: stderr || (error?.message ?? '') });
    });
    // By hand: execFile's own option resolves before the program has ended.
    const end = () => child.kill();
    stop?.addEventListener('abort', end);
    if (stop?.aborted) end();
  });
}

/** Only what programs need: our environment contains secrets, and PG* would interfere. */
export function bareEnvironment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'SystemRoot', 'TEMP', 'TMP'].map((name) => [name, process.env[name]]);
  return { ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)), LC_ALL: 'C' };
}

async function runAsDirectoryOwner(
  postgres: string,
  directory: string,
  owner: Account,
): Promise<Runner> {
  const runner = { prefix: [], account: { uid: owner.uid, gid: owner.gid } };
  if (await canServe(runner, postgres, directory)) return runner;
  throw new EmbeddedPostgresError(
    `the owner of ${directory} (uid ${owner.uid}) cannot run ${postgres} there; start Keyward as that user, or set DATABASE_URL`,
  );
}

/** For root without user namespaces: an existing account gets the directory. */
async function chooseAccount(postgres: string, directory: string): Promise<Runner> {
  // An account could not read the files that root wrote in a user namespace.
  if (await isMissing(join(directory, 'data'))) {
    for (const name of ACCOUNTS) {
      const account = await findAccount(name, directory);
      if (account !== undefined && (await handOver(account, postgres, directory))) {
        return { prefix: [], account };
      }
    }
  }
  throw new EmbeddedPostgresError(
    `Postgres refuses to run as root, and here neither a user namespace (unshare --user) nor the account ${ACCOUNTS.join(' or ')} can use ${directory}; start Keyward as an ordinary user, or set DATABASE_URL`,
  );
}

async function handOver(account: Account, postgres: string, directory: string): Promise<boolean> {
  try {
    await chown(directory, account.uid, account.gid);
  } catch {
    // The root of a container may lack the right, or have no other account.
    return false;
  }
  if (await canServe({ prefix: [], account }, postgres, directory)) return true;
  await chown(directory, 0, 0);
  return false;
}

async function findAccount(name: string, cwd: string): Promise<Account | undefined> {
  const uid = await run(CURRENT_USER, 'id', ['-u', name], cwd);
  const gid = await run(CURRENT_USER, 'id', ['-g', name], cwd);
  if (!uid.ok || !gid.ok) return undefined;
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function canServe(runner: Runner, postgres: string, directory: string): Promise<boolean> {
  // By full path, since a working directory is entered before rights are dropped.
  const script = '[ -w "$1" ] && [ -x "$1" ] && exec "$2" --version';
  return (await run(runner, 'sh', ['-c', script, 'sh', directory, postgres], '/')).ok;
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: unknown) => errorCode(error) === 'ENOENT',
  );
}
