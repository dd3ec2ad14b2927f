import { createHash } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { runInProcess } from '../support/command.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { type Instance, launch, TEST_SECRET } from '../support/instance.ts';
import { launchProgram } from '../support/program.ts';
import { verify } from '../support/sql-keys.ts';

/** KEYWARD_TEST_IMPORTS sets more: 100,000 take minutes. */
const KEYS = Number(process.env.KEYWARD_TEST_IMPORTS ?? 4000);

/** The number of an advisory lock. */
const GATE = 4711;

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const hash = (key: string) => ({ algorithm: 'sha256', value: sha256(key) });
const lines = (values: readonly unknown[]) =>
  values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join('\n');

describe('keyward import', { timeout: 600_000 }, () => {
  let url: string;
  let instance: Instance;
  let folder: string;

  beforeEach(async () => {
    const database = await createTestDatabase();
    url = database.url;
    instance = await launch(url);
    onTestFinished(async () => {
      await instance.stop();
      await database.drop();
    });
    folder = await temporaryFolder('keyward-import-');
  });

  const settings = () => ({ DATABASE_URL: url, KEYWARD_SECRET: TEST_SECRET });
  const keyward = (...args: string[]) => runInProcess(['import', ...args], settings());
  const fileOf = async (name: string, text: string) => {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  };
  const entriesOf = async (path: string) =>
    (await readFile(path, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line));
  const count = async () => {
    const client = await connect(url);
    const { rows } = await client.query(
      `select count(*)::int as keys, count(distinct ref)::int as refs,
              count(distinct key_id)::int as of_keys
         from keys join secrets on key_id = keys.id`,
    );
    return rows[0];
  };

  /** The insertion of the key of this name waits until the gate is opened. */
  const closeGateBefore = async (name: string) => {
    const sql = await connect(url);
    await sql.query(`
      create function wait_at_gate() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(${GATE}); return new; end $$;
      create trigger wait_at_gate before insert on keys for each row
        when (new.name = '${name}') execute function wait_at_gate();
      select pg_advisory_lock(${GATE})`);
    const waiting = `select from pg_locks where not granted and locktype = 'advisory'
                      and database = (select oid from pg_database where datname = current_database())`;
    const reached = () => expect.poll(async () => (await sql.query(waiting)).rowCount).toBe(1);
    const open = async () => {
      await sql.query(`select pg_advisory_unlock(${GATE})`);
      // Waits for the transaction that a killed import has left.
      await sql.query('drop function wait_at_gate cascade');
    };
    return { reached, open };
  };

  it.each([
    ['in a folder that is missing', '/nowhere/report', 'there is no such file or folder (ENOENT).'],
    ['that is a folder', '/tmp', 'it is a folder (EISDIR).'],
    ['below a file', '/dev/null/report', 'a part of its path is not a folder (ENOTDIR).'],
  ])('an import with a report %s fails with a sentence that names it', async (_, report, why) => {
    const path = await fileOf('one.jsonl', lines([{ name: 'a', hash: hash('a') }]));
    const outcome = await keyward(path, '--report', report);
    expect(outcome).toEqual({ code: 1, stdout: '', stderr: `keyward: ${report}: ${why}\n` });
    expect(await count()).toMatchObject({ keys: 0 });
  });

  it('an import with a report that is a device, or has an empty name, imports nothing and says so', async () => {
    const path = await fileOf('one.jsonl', lines([{ name: 'a', hash: hash('a') }]));
    expect(await keyward(path, '--report', '/dev/full')).toMatchObject({
      code: 1,
      stderr: 'keyward: /dev/full is not a file that can hold a report.\n',
    });
    expect(await keyward(path, '--report=')).toMatchObject({
      code: 1,
      stderr: 'keyward: --report: must name a file.\n',
    });
    expect(await count()).toMatchObject({ keys: 0 });
  });

  it('keyward import imports JSON lines and reports for each refused line which field is wrong', async () => {
    const path = await fileOf(
      'keys.jsonl',
      lines([
        {
          name: 'one',
          hash: hash('old-1'),
          scopes: ['a'],
          ownerId: 'o',
          metadata: { plan: 'pro' },
        },
        '',
        '{"name": ',
        { hash: hash('old-2') },
        { name: 'odd', hash: hash('old-3'), colour: 'red' },
        { name: 'digest', hash: { algorithm: 'sha256', value: 'x'.repeat(64) } },
        { name: 'past', hash: hash('old-4'), expiresAt: '2020-01-01T00:00:00Z' },
        { name: 'two', hash: { algorithm: 'sha512', value: 'A'.repeat(86) } },
        { name: 'again', hash: hash('old-1') },
        '[]',
        { name: 'last', hash: hash('old-5') },
      ]),
    );
    const report = join(folder, 'report.jsonl');
    const outcome = await keyward(path, '--report', report);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /^11 lines: 3 created, 1 duplicates, 6 invalid; \d+ per second/m,
    );
    const entries = await entriesOf(report);
    const told = entries
      .filter(({ type }) => type === 'line')
      .map(({ line, status, errors }) => `${line} ${status} ${errors[0]?.pointer ?? ''}`.trim());
    expect(told).toEqual([
      '3 invalid',
      '4 invalid /name',
      '5 invalid /colour',
      '6 invalid /hash/value',
      '7 invalid /expiresAt',
      '9 duplicate',
      '10 invalid',
    ]);
    expect((await verify(instance, 'old-1')).body).toMatchObject({
      code: 'VALID',
      scopes: ['a'],
      ownerId: 'o',
      metadata: { plan: 'pro' },
    });
    expect((await verify(instance, 'old-5')).body.code).toBe('VALID');
    expect((await verify(instance, 'old-4')).body.code).toBe('NOT_FOUND');
    const audit = (await instance.call('GET', '/v1/audit-events?action=key.imported')).body.data;
    expect(audit).toHaveLength(3);
    expect(audit[0].actor).toEqual({ type: 'system', id: 'cli', onBehalfOf: null });
    const printed = outcome.stderr + (await readFile(report, 'utf8'));
    for (const key of ['old-1', 'old-4']) expect(printed).not.toContain(sha256(key));
  });

  it('keyward import imports CSV, quoted, with each kind of column, into the requested workspace', async () => {
    await instance.call('PUT', '/v1/workspaces/acme', { body: {} });
    const path = await fileOf(
      'keys.csv',
      [
        '\uFEFFname,hash_algorithm,hash_value,owner_id,scopes,allowed_ips,expires_at,metadata,start,enabled,rate_limits,credits,resources',
        `"Last, first ""x""",sha256,${sha256('c-1')},o 1,a b:c,203.0.113.0/24 ::1,2099-01-01T00:00:00Z,"{""plan"":""pro""}",sk_1,true,"[{""name"":""m"",""limit"":5,""windowSeconds"":60}]","{""remaining"":3}","[""project:a""]"`,
        `two,sha256,${sha256('c-2')},,,,,"{""a"":\n1}",,false,,,`,
        `three,sha256,${sha256('c-3')},,,,,{plan,,,,,`,
        `four,sha256,${sha256('c-4')},,,,,,,yes,,,`,
        `five,md5,${sha256('c-5')},,,,,,,,,,`,
        'six,sha256',
        '',
      ].join('\r\n'),
    );
    const outcome = await keyward(path, '--workspace', 'acme');
    expect(outcome.code).toBe(1);
    const told = outcome.stderr.split('\n').filter((line) => line.startsWith('line '));
    expect(told.map((line) => line.replace(/^line (\d+): (\S+).*/, '$1 $2'))).toEqual([
      '5 /metadata',
      '6 /enabled',
      '7 /hash/algorithm',
      '8 has',
    ]);
    expect(outcome.stderr).toContain('2 created, 0 duplicates, 4 invalid');
    const { data } = (await instance.call('GET', '/v1/keys?workspaceId=acme&sort=name')).body;
    expect(data).toMatchObject([
      {
        name: 'Last, first "x"',
        ownerId: 'o 1',
        scopes: ['a', 'b:c'],
        allowedIps: ['203.0.113.0/24', '::1'],
        expiresAt: '2099-01-01T00:00:00.000Z',
        metadata: { plan: 'pro' },
        start: 'sk_1…',
        rateLimits: [{ name: 'm', limit: 5, remaining: 5 }],
        credits: { remaining: 3 },
        resources: ['project:a'],
      },
      { name: 'two', enabled: false, resources: null, metadata: { a: 1 } },
    ]);
  });

  it("keyward import refuses the root key's digest and imports the lines around it", async () => {
    const rootKey = 'root-key-of-the-import-command-0123456789';
    const items = [
      { name: 'one', hash: hash('old-1') },
      { name: 'root', hash: hash(rootKey) },
    ];
    const path = await fileOf('keys.jsonl', lines(items));
    const env = { ...settings(), KEYWARD_ROOT_KEY: rootKey };
    const outcome = await runInProcess(['import', path], env);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain('2 lines: 1 created, 0 duplicates, 1 invalid');
    expect((await verify(instance, 'old-1')).body.code).toBe('VALID');
    expect((await verify(instance, rootKey)).body.code).toBe('NOT_FOUND');
  });

  it('keyward import that is killed in the middle and run again makes each key once', async () => {
    const all = Array.from({ length: KEYS }, (_, i) => ({ name: `k${i}`, hash: hash(`old-${i}`) }));
    const path = await fileOf('many.jsonl', lines(all));
    const report = join(folder, 'report.jsonl');
    const args = ['import', path, '--report', report];
    for (const thousands of [1, Math.floor(KEYS / 2000)]) {
      const gate = await closeGateBefore(`k${thousands * 1000 + 500}`);
      const program = launchProgram(settings(), { args });
      await gate.reached();
      expect(await program.end('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
      await gate.open();
    }
    expect((await count()).keys).toBeLessThan(KEYS);
    const outcome = await keyward(path, '--report', report);
    expect(outcome.stderr).toMatch(/^Going on after line \d+000\.\n/);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toContain(`${KEYS} lines: ${KEYS} created, 0 duplicates, 0 invalid`);
    expect(await count()).toEqual({ keys: KEYS, refs: KEYS, of_keys: KEYS });
    for (let i = 0; i < KEYS; i += Math.floor(KEYS / 97)) {
      expect((await verify(instance, `old-${i}`)).body).toMatchObject({
        code: 'VALID',
        name: `k${i}`,
      });
    }
    const again = await keyward(path, '--report', report);
    expect(again.stderr).toContain(`${KEYS} created, 0 duplicates, 0 invalid`);
    expect((await count()).keys).toBe(KEYS);
  });

  it('keyward import that is killed after a commit and before it was recorded recognizes its own keys', async () => {
    const all = Array.from({ length: 2500 }, (_, i) => ({ name: 'k', hash: hash(`old-${i}`) }));
    const path = await fileOf('many.jsonl', lines([...all, all[0], { name: 'no hash' }]));
    const report = join(folder, 'report.jsonl');
    const first = await keyward(path, '--report', report);
    expect(first.stderr).toContain('2502 lines: 2500 created, 1 duplicates, 1 invalid');
    const whole = await readFile(report, 'utf8');
    const afterFirst = whole.indexOf('\n', whole.indexOf('"position"')) + 1;
    for (const torn of [afterFirst, afterFirst + 9, whole.indexOf('\n') + 1, whole.length - 1, 7]) {
      await writeFile(report, whole);
      await truncate(report, torn);
      const outcome = await keyward(path, '--report', report);
      if (torn === 7) expect(outcome.stderr).toContain('0 created, 2501 duplicates, 1 invalid');
      else {
        expect(outcome.stderr).toContain('2502 lines: 2500 created, 1 duplicates, 1 invalid');
        expect(await readFile(report, 'utf8')).toBe(whole);
      }
    }
    expect((await count()).keys).toBe(2500);
  });

  it('keyward import refuses what it cannot read before it imports anything, and overwrites no other file', async () => {
    const good = `good,sha256,${sha256('g')}`;
    const header = 'name,hash_algorithm,hash_value';
    const broken = await fileOf('broken.csv', `${header}\n${good}\nx"y,sha256,"z\n${good}\n`);
    const columns = await fileOf('columns.csv', `name,colour\n${good}\n`);
    const text = await fileOf('keys.txt', good);
    const jsonl = await fileOf('keys.jsonl', lines([{ name: 'g', hash: hash('g') }]));
    const notes = await fileOf('notes.txt', 'mine');
    const other = await fileOf('other.jsonl', lines([{ name: 'h', hash: hash('h') }]));
    const report = join(folder, 'report.jsonl');
    const refusals: [string[], RegExp][] = [
      [[broken], /broken\.csv: is not CSV near line 3 \(/],
      [[columns], /no column colour; known are name, hash_algorithm/],
      [[text], /must end in \.csv or \.jsonl/],
      [[join(folder, 'nowhere.csv')], /nowhere\.csv: cannot be read \(ENOENT\)/],
      [['--report', report], /Name the FILE: keyward import FILE\./],
      [[jsonl, '--workspace', 'nowhere'], /No workspace nowhere/],
      [[jsonl, '--report', notes], /notes\.txt is there already and is not the report/],
    ];
    for (const [args, sentence] of refusals) {
      const outcome = await keyward(...args);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toMatch(sentence);
    }
    expect(await readFile(notes, 'utf8')).toBe('mine');
    expect((await count()).keys).toBe(0);
    await keyward(other, '--report', report);
    expect((await keyward(jsonl, '--report', report)).stderr).toMatch(/reports on another file/);
    expect((await count()).keys).toBe(1);
  });

  it('keyward import refuses a line that contains the root key or a key of this Keyward', async () => {
    const { key } = (await instance.call('POST', '/v1/keys', { body: { name: 'a' } })).body;
    const rootKey = 'root-key-of-these-tests-0123456789-abcdef';
    const path = await fileOf(
      'keys.jsonl',
      lines([key, `is ${rootKey}`, 'fine'].map((name) => ({ name, hash: hash(name) }))),
    );
    const environment = { ...settings(), KEYWARD_ROOT_KEY: rootKey };
    const { code, stdout, stderr } = await runInProcess(['import', path], environment);
    expect(code).toBe(1);
    expect(stderr).toContain('3 lines: 1 created, 0 duplicates, 2 invalid');
    expect(stdout + stderr).not.toContain(rootKey);
    expect(stdout + stderr).not.toContain(key);
  });

  it('keyward import obeys the policies of the workspace, and continues once they allow it', async () => {
    await instance.call('PUT', '/v1/workspaces/acme', { body: { maxActiveKeys: 1500 } });
    const all = Array.from({ length: 2000 }, (_, i) => ({ name: 'k', hash: hash(`old-${i}`) }));
    const path = await fileOf('many.jsonl', lines(all));
    const args = [path, '--workspace', 'acme', '--report', join(folder, 'report.jsonl')];
    const stopped = await keyward(...args);
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain('The workspace may have 1500 active keys.');
    expect((await count()).keys).toBe(1000);
    await instance.call('PATCH', '/v1/workspaces/acme', { body: { maxActiveKeys: null } });
    const outcome = await keyward(...args);
    expect(outcome).toMatchObject({ code: 0 });
    expect(outcome.stderr).toContain('2000 lines: 2000 created, 0 duplicates, 0 invalid');
  });
});
