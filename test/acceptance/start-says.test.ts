import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { findUnsafeSettings } from '../../src/db/expected-settings.ts';
import { createKey, rootClient } from '../support/client.ts';
import { runInProcess } from '../support/command.ts';
import { emptyDataFolder } from '../support/data-folder.ts';
import { connect, createTestDatabase, ormOf } from '../support/database.ts';
import { startProgram } from '../support/program.ts';

const LONG = { timeout: 60_000 };
const WARN = 'warn';

const warnings = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .map(({ level, msg }) => [level, msg])
    .filter(([level]) => level !== 'info');

it(
  'a start that is allowed without KEYWARD_SECRET on a database whose settings break promises warns of each',
  LONG,
  async () => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const sql = await connect(database.url);
    const name = new URL(database.url).pathname.slice(1);
    await sql.query(`alter database ${name} set default_transaction_isolation = 'serializable'`);
    // The server of the tests may be unsafe in other ways, too.
    const unsafe = await findUnsafeSettings(ormOf(await connect(database.url)));
    expect(unsafe.join()).toContain('default_transaction_isolation = serializable: limits would');
    const program = await startProgram({ DATABASE_URL: database.url });
    await program.end('SIGTERM');
    expect(warnings(program.stdout())).toEqual([
      ...unsafe.map((warning) => [WARN, warning]),
      [WARN, expect.stringMatching(/^KEYWARD_SECRET is not set: .* argon2/)],
    ]);
    expect(program.stderr()).toBe('');
  },
);

it('a start on a database of the operator without KEYWARD_SECRET is refused unless a setting confirms it, and the refusal says how to set one', async () => {
  const away = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
  const { code, stdout, stderr } = await runInProcess(['start'], away);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(
    /^keyward: KEYWARD_SECRET is not set: .*openssl rand -hex 32.*KEYWARD_ALLOW_NO_SECRET=on .*\n$/,
  );
});

it(
  'a start with the embedded database warns of nothing, shows no secret, and keys its audit log',
  LONG,
  async () => {
    const directory = await emptyDataFolder();
    const program = await startProgram({ KEYWARD_DATA_DIR: directory });
    await createKey(await rootClient(program, directory), 'on the record');
    await program.end('SIGTERM');
    const [rootKey, secret] = await Promise.all(
      ['root-key', 'secret'].map((name) => readFile(join(directory, name), 'utf8')),
    );
    for (const hidden of [rootKey, secret]) {
      expect(hidden).toMatch(/^[\w-]{43}$/);
      expect(program.stdout() + program.stderr()).not.toContain(hidden);
    }
    expect(warnings(program.stdout())).toEqual([]);
    const audit = await runInProcess(['audit', 'verify'], { KEYWARD_DATA_DIR: directory });
    expect(audit.stdout).toMatch(/default: intact, entries 1 to 1; .* keyed with the secret/);
  },
);

it('an address that this machine does not have is named in one sentence', async () => {
  const outcome = await runInProcess(['start'], { HOST: '192.0.2.1', PORT: '8099' });
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toBe(
    'keyward: Cannot listen on 192.0.2.1:8099 (EADDRNOTAVAIL); set HOST and PORT.\n',
  );
});

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((address) => address?.address === '::1');

it.skipIf(!hasIpv6)('an IPv6 address is shown as it stands in a URL', LONG, async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const program = await startProgram({ HOST: '::1', DATABASE_URL: database.url });
  expect(program.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  expect((await fetch(`${program.url}/readyz`)).status).toBe(200);
});
