import { execFileSync } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../src/embedded-postgres/postgres.ts';
import { explained } from './explained-options.ts';
import { exitCode, note, same, settled } from './operations/checks.ts';
import { command, Keyward, type Program } from './operations/keyward.ts';

/**
 * Upgrades from the oldest state of the code that has a schema, or from `--from REF`: that program runs,
 * makes keys, counts and audit entries; then the schema is brought to that of today, once while it is
 * stopped and once while it answers, and today's program must find everything. docs/upgrades.md says
 * what is promised. Needs the history of the repository, and the npm registry.
 */
const { values: options } = parseArgs({
  options: explained({ from: { type: 'string', default: '' } }),
});
const FOLDER = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const SECRET = 'secret-of-the-operations-0123456789abcdef';
const USE = { VALID: 3, INSUFFICIENT_SCOPE: 1, REVOKED: 0 };
const endings: (() => Promise<unknown>)[] = [];

process.exitCode = await main();

async function main(): Promise<number> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'keyward-upgrade-'));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  try {
    const first = checkOut(join(folder, 'first'));
    const directory = join(folder, 'postgres');
    const postgres = await startEmbeddedPostgres({ directory, durable: false });
    endings.push(() => postgres.stop());
    await stoppedFirst(first, await createDatabase(postgres.url, 'stopped_first'));
    await sideBySide(first, await createDatabase(postgres.url, 'side_by_side'));
    return exitCode();
  } finally {
    for (const end of endings.toReversed()) await end();
  }
}

/** The folder of the first state of the code, with its own packages. */
function checkOut(folder: string): string {
  const git = (...words: string[]) => execFileSync('git', words, { cwd: FOLDER, encoding: 'utf8' });
  const [oldest = ''] = git('log', '--reverse', '--format=%H', '--', 'migrations').split('\n');
  const ref = options.from || oldest;
  git('worktree', 'add', '--quiet', '--detach', folder, ref);
  endings.push(async () => git('worktree', 'remove', '--force', folder));
  const flags = ['--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', ['ci', ...flags], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  note(`from ${git('log', '-1', '--format=%h %s', ref).trim()}`);
  return folder;
}

async function createDatabase(url: string, name: string): Promise<string> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

function programOf(folder: string, url: string): Program {
  return { folder, settings: { DATABASE_URL: url, KEYWARD_SECRET: SECRET } };
}

async function startKeyward(program: Program): Promise<Keyward> {
  const keyward = await Keyward.start(program);
  endings.push(() => keyward.stop());
  const ready = () => keyward.call('GET', '/readyz');
  await settled(ready, ({ status }) => status === 200);
  return keyward;
}

interface Named {
  id: string;
  key: string;
}

interface Kept {
  used: Named;
  revoked: Named;
  fading: Named;
}

/** What the first state of the code could do already. */
async function furnish(keyward: Keyward): Promise<Kept> {
  const make = async (more: object = {}): Promise<Named> => {
    const { body } = await keyward.call('POST', '/v1/keys', { name: 'of the first days', ...more });
    return { id: body.id, key: body.key };
  };
  const used = await make({ scopes: ['orders:read'], metadata: { plan: 'pro' } });
  for (let use = 0; use < USE.VALID; use++) await keyward.verdict(used.key);
  await keyward.verdict(used.key, { requiredScopes: ['members:invite'] });
  const revoked = await make();
  await keyward.call('POST', `/v1/keys/${revoked.id}/revoke`, { reason: 'leaked' });
  const fading = await make();
  const kept = { used, revoked, fading };
  same('the first program verifies', await verdicts(keyward, kept), ['VALID', 'REVOKED', 'VALID']);
  USE.VALID = 4;
  await settled(
    () => keyward.usage(used.id),
    ({ VALID }) => VALID === USE.VALID,
  );
  return kept;
}

async function verdicts(keyward: Keyward, { used, revoked, fading }: Kept): Promise<string[]> {
  const keys = [used, revoked, fading].map(({ key }) => key);
  return Promise.all(keys.map((key) => keyward.verdict(key)));
}

async function migrate(url: string): Promise<void> {
  const started = performance.now();
  const { code, output } = await command(programOf(FOLDER, url), ['migrate']);
  same('the schema is brought up to date', [code, output.includes('up to date')], [0, true]);
  note(`   in ${Math.round(performance.now() - started)} ms`);
}

/** The promise for any two versions. */
async function stoppedFirst(first: string, url: string): Promise<void> {
  note('== every old instance is stopped, then the schema is migrated, then new ones start');
  const old = await startKeyward(programOf(first, url));
  const kept = await furnish(old);
  same('the first program stops cleanly', await old.stop(), 0);
  await migrate(url);
  const keyward = await startKeyward(programOf(FOLDER, url));
  await checkKept(keyward, kept, { least: USE.VALID, most: USE.VALID });
  await checkGoesOn(keyward, url, kept);
}

/** What happens where somebody does it all the same: nothing wrong is said, counts may be lost. */
async function sideBySide(first: string, url: string): Promise<void> {
  note('== the first program answers while the schema is migrated, and beside a new one');
  const old = await startKeyward(programOf(first, url));
  const kept = await furnish(old);
  const load = ask(old, kept);
  await migrate(url);
  const keyward = await startKeyward(programOf(FOLDER, url));
  await keyward.call('POST', `/v1/keys/${kept.fading.id}/revoke`);
  const after = await old.verdict(kept.fading.key);
  same('a key revoked by a new instance is not VALID on the old one', after !== 'VALID', true);
  const heard = await load.end();
  note(
    `   the first program said of a valid key ${shown(heard.used)}, of a revoked one ${shown(heard.revoked)}`,
  );
  same('it never denied a valid key', onlyOrNone(heard.used, 'VALID'), true);
  same('it never said VALID of a revoked one', onlyOrNone(heard.revoked, 'REVOKED'), true);
  const code = await old.stop();
  note(`   the first program stopped with exit code ${code}`);
  const most = USE.VALID + (heard.used.get('VALID') ?? 0);
  await checkKept(keyward, kept, { least: USE.VALID, most });
  await checkGoesOn(keyward, url, kept);
}

/** Verdicts and statuses with their numbers. */
type Heard = Map<string, number>;

function ask(keyward: Keyward, { used, revoked }: Kept) {
  let isOver = false;
  const heard = { used: new Map<string, number>(), revoked: new Map<string, number>() };
  const work = async (key: string, said: Heard) => {
    while (!isOver) {
      const verdict = await keyward.verdict(key);
      said.set(verdict, (said.get(verdict) ?? 0) + 1);
    }
  };
  const both = Promise.all([work(used.key, heard.used), work(revoked.key, heard.revoked)]);
  const end = async () => {
    isOver = true;
    await both;
    return heard;
  };
  return { end };
}

/** Nothing but this verdict, and statuses by which it says that it cannot tell. */
function onlyOrNone(heard: Heard, verdict: string): boolean {
  return [...heard.keys()].every((said) => said === verdict || /^(0|5\d\d)$/.test(said));
}

function shown(heard: Heard): string {
  return [...heard].map(([said, times]) => `${said} ${times} times`).join(', ');
}

async function checkKept(
  keyward: Keyward,
  kept: Kept,
  counted: { least: number; most: number },
): Promise<void> {
  const usage = await settled(
    () => keyward.usage(kept.used.id),
    ({ VALID = 0 }) => VALID >= counted.least,
  );
  const { VALID = 0, INSUFFICIENT_SCOPE } = usage;
  const isWithin = VALID >= counted.least && VALID <= counted.most;
  same(`counts are kept (${VALID} of ${counted.most})`, [isWithin, INSUFFICIENT_SCOPE], [true, 1]);
  same('a key in use is valid', await keyward.verdict(kept.used.key), 'VALID');
  same('a revoked key is revoked', await keyward.verdict(kept.revoked.key), 'REVOKED');
  const { body } = await keyward.call('GET', `/v1/keys/${kept.used.id}`);
  same('a key has what it had', [body.scopes, body.metadata], [['orders:read'], { plan: 'pro' }]);
}

async function checkGoesOn(keyward: Keyward, url: string, { used }: Kept): Promise<void> {
  const rotate = `/v1/keys/${used.id}/rotate`;
  const { body: rotated } = await keyward.call('POST', rotate, { graceSeconds: 60 });
  same('an old key is rotated', await keyward.verdict(rotated.key), 'VALID');
  same('its old string is in its grace', await keyward.verdict(used.key), 'VALID');
  const { body: listed } = await keyward.call('GET', '/v1/keys?search=first');
  same('all keys are listed', listed.data?.length, 3);
  same('the service stops cleanly', await keyward.stop(), 0);
  const { code, output } = await command(programOf(FOLDER, url), ['audit', 'verify']);
  same(
    'the audit log is intact, from its first entry',
    [code, output.includes('intact, entries 1 to')],
    [0, true],
  );
}
