import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explained } from './explained-options.ts';
import { exitCode, note, same } from './operations/checks.ts';
import {
  checkFurnished,
  type Furnished,
  furnish,
  keepVerifying,
  type Named,
} from './operations/furnishing.ts';
import { command, Keyward, type Program } from './operations/keyward.ts';
import { installedPostgres, Postgres } from './operations/postgres.ts';

/**
 * Takes backups of a running Keyward in each way that docs/operations.md names, restores each one
 * elsewhere, starts a Keyward on it, and checks what must be there: keys with their limits and use, the
 * audit log, and what the backup cannot know. The programs of Postgres are those of the machine.
 */
parseArgs({ options: explained({}) });
const FOLDER = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const SECRET = 'secret-of-the-operations-0123456789abcdef';
/** What was started, to be ended in the opposite order. */
const endings: (() => Promise<unknown>)[] = [];

process.exitCode = await main();

async function main(): Promise<number> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'keyward-backup-'));
  try {
    const bin = installedPostgres();
    if (bin) await backUpAndRestore(bin, folder);
    else note('SKIPPED pg_dump and pg_basebackup: no Postgres is installed with its programs');
    await copyEmbedded(folder);
    return exitCode();
  } finally {
    for (const end of endings.toReversed()) await end();
    await rm(folder, { recursive: true, force: true });
  }
}

function programOn({ url }: Postgres): Program {
  return { folder: FOLDER, settings: { DATABASE_URL: url, KEYWARD_SECRET: SECRET } };
}

async function startKeyward(program: Program): Promise<Keyward> {
  const keyward = await Keyward.start(program);
  endings.push(() => keyward.stop());
  return keyward;
}

/** What happens after the backup, and the head of the audit log then. */
interface Later {
  created: Named;
  head: string;
}

/** Two backups of one service, and what it had before and after them. */
interface BackedUp {
  /** The base backup, and the archive of what was written since. */
  base: string;
  archive: string;
  kept: Furnished;
  later: Later;
  /** Verifications of the busy key until the dump was taken, and some more. */
  answered: number;
}

async function backUpAndRestore(bin: string, folder: string): Promise<void> {
  note('== a running service, whose WAL is archived');
  const { source, archive } = await startArchiving(bin, join(folder, 'source'));
  const keyward = await startKeyward(programOn(source));
  const kept = await furnish(keyward);
  const load = keepVerifying(keyward, kept.busy.key);
  const base = await takeBackups(bin, folder, source);
  const later = await changeAfterwards(keyward, kept);
  const answered = await load.end();
  note(`   ${answered} verifications were answered while the backups were taken`);
  await makeMistake(keyward, source, kept);
  const taken = { base, archive, kept, later, answered };
  await restoreDump(bin, folder, taken);
  await recover(bin, folder, taken);
}

async function startArchiving(bin: string, folder: string) {
  const source = await Postgres.make(bin, folder);
  endings.push(() => source.stop());
  const archive = join(folder, 'archive');
  await mkdir(archive);
  await source.stop();
  await source.start({ archive_mode: 'on', archive_command: `cp %p ${archive}/%f` });
  return { source, archive };
}

/** The dump goes into the folder; returns where the base backup is. */
async function takeBackups(bin: string, folder: string, source: Postgres): Promise<string> {
  const dump = await shell(bin, folder, 'dump', { DATABASE_URL: source.url });
  same('a backup is taken as documented', dump.code, 0);
  const base = join(source.folder, 'base');
  const into = [`--pgdata=${base}`, '--checkpoint=fast', '--wal-method=none'];
  await source.program('pg_basebackup', [...into, `--dbname=${source.urlOf('postgres')}`]);
  return base;
}

/** Everything stops after it. */
async function makeMistake(keyward: Keyward, source: Postgres, { quiet }: Furnished) {
  await source.query(`select pg_create_restore_point('before_the_mistake')`);
  await keyward.call('POST', '/v1/keys/bulk-revoke', { ownerId: 'customer_42' });
  same('a mistake revokes a key', await keyward.verdict(quiet.key), 'REVOKED');
  same('the service stops cleanly', await keyward.stop(), 0);
  await source.query('select pg_switch_wal()');
  await source.stop();
}

async function restoreDump(bin: string, folder: string, taken: BackedUp): Promise<void> {
  note('== pg_dump, restored by pg_restore into a new cluster');
  const restored = await Postgres.make(bin, join(folder, 'restored'));
  endings.push(() => restored.stop());
  const urls = { RESTORED_URL: restored.url, KEYWARD_SECRET: SECRET };
  const { code, output } = await shell(bin, folder, 'restore', urls);
  same('it is restored as documented', [code, output.includes('intact')], [0, true]);
  const runs = await restored.query('select id::text from incarnation');
  same('the restored database is in no run of the other one', runs, []);
  await checkDump(programOn(restored), taken);
  await restored.stop();
}

async function recover(bin: string, folder: string, taken: BackedUp): Promise<void> {
  note('== pg_basebackup and the archive, recovered to the point before the mistake');
  const recovered = await Postgres.prepare(bin, join(folder, 'recovered'));
  endings.push(() => recovered.stop());
  await recovered.copyFrom(taken.base);
  await writeFile(join(recovered.data, 'recovery.signal'), '');
  await recovered.start({
    restore_command: `cp ${taken.archive}/%f %p`,
    recovery_target_name: 'before_the_mistake',
    recovery_target_action: 'promote',
  });
  await checkRecovered(programOn(recovered), taken);
}

/** Runs a block of docs/operations.md as written, in a folder. */
async function shell(bin: string, cwd: string, name: string, env: Record<string, string>) {
  const page = await readFile(`${FOLDER}/docs/operations.md`, 'utf8');
  const [, block] = page.split(`<!-- test:backup: ${name} -->\n\`\`\`sh\n`);
  if (block === undefined) throw new Error(`docs/operations.md has no block ${name}`);
  const commands = block.slice(0, block.indexOf('```'));
  const text = commands.replaceAll('npx keyward', `node ${FOLDER}/bin/keyward.js`);
  const PATH = `${bin}:${process.env.PATH}`;
  const ran = spawnSync('bash', ['-euo', 'pipefail', '-c', text], {
    cwd,
    env: { ...env, PATH },
    encoding: 'utf8',
  });
  return { code: ran.status, output: `${ran.stdout}${ran.stderr}` };
}

async function changeAfterwards(keyward: Keyward, { fading }: Furnished): Promise<Later> {
  await keyward.call('POST', `/v1/keys/${fading.id}/revoke`);
  const { body: created } = await keyward.call('POST', '/v1/keys', { name: 'made after it' });
  const { body: head } = await keyward.call('GET', '/v1/audit-events/head');
  return {
    created: { id: created.id, key: created.key },
    head: `default:${head.sequence}:${head.hash}`,
  };
}

/** It is of the moment when it began: what happened later is lost, and can be seen and done again. */
async function checkDump(program: Program, { kept, later, answered }: BackedUp): Promise<void> {
  const { created, head } = later;
  const keyward = await startKeyward(program);
  await checkFurnished(keyward, kept);
  same('no hash was computed: the stored proofs came along', await argon2Runs(keyward), 0);
  const { VALID = 0 } = await keyward.usage(kept.busy.id);
  same('no more is counted than was answered', VALID <= answered, true);
  await checkLog(program, [], 0, 'intact');
  same('a key made after the backup is unknown', await keyward.verdict(created.key), 'NOT_FOUND');
  same(
    'a key revoked after the backup is valid again',
    await keyward.verdict(kept.fading.key),
    'VALID',
  );
  await checkLog(program, ['--expect', head], 1, 'the tail was cut');
  await keyward.call('POST', '/v1/keys/bulk-revoke', { ids: [kept.fading.id] });
  same('it is revoked once that is done again', await keyward.verdict(kept.fading.key), 'REVOKED');
  await checkGoesOn(keyward, program);
}

/** Everything until the point is there, and the mistake is not. */
async function checkRecovered(program: Program, { kept, later }: BackedUp): Promise<void> {
  const { created, head } = later;
  const keyward = await startKeyward(program);
  await checkFurnished(keyward, kept);
  same('no hash was computed: the stored proofs came along', await argon2Runs(keyward), 0);
  same('a key made before the point is valid', await keyward.verdict(created.key), 'VALID');
  same('a key revoked before it is', await keyward.verdict(kept.fading.key), 'REVOKED');
  await checkLog(program, ['--expect', head], 0, 'intact');
  await checkGoesOn(keyward, program);
}

async function copyEmbedded(folder: string): Promise<void> {
  note('== the folder of the embedded database, copied while the service is stopped');
  const programIn = (place: string): Program => ({
    folder: FOLDER,
    settings: { KEYWARD_DATA_DIR: join(folder, place) },
  });
  const keyward = await startKeyward(programIn('embedded'));
  const kept = await furnish(keyward);
  same('the service stops cleanly', await keyward.stop(), 0);
  await cp(join(folder, 'embedded'), join(folder, 'copied'), { recursive: true });
  const copy = await startKeyward(programIn('copied'));
  await checkFurnished(copy, kept);
  same('no hash was computed: the secret came along', await argon2Runs(copy), 0);
  same('the copy stops cleanly', await copy.stop(), 0);
  await checkLog(programIn('copied'), [], 0, 'intact');
}

async function checkLog(
  program: Program,
  options: readonly string[],
  code: number,
  says: string,
): Promise<void> {
  const checked = await command(program, ['audit', 'verify', ...options]);
  const isSaid = checked.output.includes(says);
  same(
    `${['audit verify', ...options.slice(0, 1)].join(' ')} says: ${says}`,
    [checked.code, isSaid],
    [code, true],
  );
}

async function checkGoesOn(keyward: Keyward, program: Program): Promise<void> {
  const { body } = await keyward.call('POST', '/v1/keys', { name: 'after the restore' });
  same('a new key is valid', await keyward.verdict(body.key), 'VALID');
  same('the service stops cleanly', await keyward.stop(), 0);
  await checkLog(program, [], 0, 'intact');
}

async function argon2Runs(keyward: Keyward): Promise<number> {
  const text = await keyward.metrics();
  return Number(/^keyward_argon2_runs_total (\d+)$/m.exec(text)?.[1]);
}
