import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { writeLog } from '../support/audit-log.ts';
import { runInProcess } from '../support/command.ts';
import { createTestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { type Instance, launch, TEST_SECRET } from '../support/instance.ts';
import { deliver } from '../support/sent-webhooks.ts';

describe('a copy of the audit logs on stdout', { timeout: 60_000 }, () => {
  let url: string;
  let instance: Instance;
  let lines: string[];

  beforeEach(async () => {
    const database = await createTestDatabase();
    url = database.url;
    lines = [];
    const writeLine = async (line: string) => void lines.push(line);
    instance = await launch(url, { auditToStdout: true }, { writeLine });
    onTestFinished(async () => {
      await instance.stop();
      await database.drop();
    });
  });

  /** Needs no database: there is none at the address. */
  const verify = async (
    copy: readonly string[],
    options = '',
    secret: string | null = TEST_SECRET,
  ) => {
    const file = join(await temporaryFolder('keyward-copy-'), 'copy.jsonl');
    writeFileSync(file, copy.join(''));
    const settings = { DATABASE_URL: 'postgres://127.0.0.1:1/none' };
    const args = ['audit', 'verify', '--copy', file, ...options.split(' ').filter(Boolean)];
    return runInProcess(args, { ...settings, ...(secret && { KEYWARD_SECRET: secret }) });
  };

  it('with KEYWARD_AUDIT_STDOUT=on each entry becomes a line with its hash, and the chain of the lines is verified without the database', async () => {
    await writeLog(instance, 'acme', 3);
    await writeLog(instance, 'beta', 1);
    await deliver(instance);
    expect(lines).toHaveLength(4);
    const [first = ''] = lines;
    expect(JSON.parse(first)).toMatchObject({
      event: 'audit.entry',
      entry: { workspaceId: 'acme', sequence: 1 },
    });
    const { stdout, code } = await verify(['a line of the log\n', ...lines.toReversed(), ...lines]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^acme: intact, entries 1 to 3; head 3:[0-9a-f]{64}; keyed with the secret [0-9a-f]{16}\nbeta: intact, entries 1 to 1; /,
    );
  });

  it('a copy of which an entry is missing, changed or there twice with differences is broken, and one sentence says where', async () => {
    await writeLog(instance, 'acme', 4);
    await deliver(instance);
    const [one = '', two = '', three = '', four = ''] = lines;
    const changed = three.replace('"action":"', '"action":"x');
    expect(await verify([one, two, four])).toMatchObject({
      code: 1,
      stdout: 'acme: broken: entry 3 is missing\n',
    });
    expect(await verify([one, two, changed, four])).toMatchObject({
      code: 1,
      stdout: 'acme: broken: entry 3 was changed, or the one before it replaced\n',
    });
    expect(await verify([one, two, three, changed, four])).toMatchObject({
      code: 1,
      stdout: 'acme: broken: entry 3 is in the copy more than once, and differs\n',
    });
    expect(await verify(lines, '', null)).toMatchObject({
      code: 1,
      stdout: 'acme: broken: entry 1 was changed, or its log is keyed: set KEYWARD_SECRET\n',
    });
    expect(await verify(lines, '', 'another secret of these tests, 0123456')).toMatchObject({
      code: 1,
    });
  });

  it('a copy that begins in the middle is taken from its first entry on, or from a head that was kept', async () => {
    await writeLog(instance, 'acme', 4);
    await deliver(instance);
    const { hash } = JSON.parse(lines[1] ?? '');
    const { stdout, code } = await verify(lines.slice(2));
    expect(code).toBe(0);
    expect(stdout).toContain('acme: intact, entries 3 to 4');
    expect(stdout).toContain('entry 3 is taken as the copy has it: it begins there');
    const kept = await verify(lines.slice(2), `--expect acme:2:${hash}`);
    expect(kept.stdout).not.toContain('is taken as');
    expect(kept.code).toBe(0);
    const other = await verify(lines.slice(2), `--expect acme:2:${'0'.repeat(64)}`);
    expect(other).toMatchObject({ code: 1 });
    expect(await verify(lines.slice(2), `--expect acme:5:${hash}`)).toMatchObject({
      code: 1,
      stdout: 'acme: broken: the end is missing: the copy ends at 4, the expected head is 5\n',
    });
  });

  it('a file without an entry of a log is refused as no copy of it', async () => {
    await writeLog(instance, 'acme', 1);
    await deliver(instance);
    expect(await verify(['a line of the log\n'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has no entries of an audit log.'),
    });
    expect(await verify(lines, '--workspace beta')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has no entries of beta.'),
    });
  });

  it('a stop does not wait for a stdout that nobody reads, and another instance writes the entry', async () => {
    await instance.stop();
    const unread = Promise.withResolvers<void>();
    const writeLine = async (_line: string, late: AbortSignal) => {
      unread.resolve();
      await once(late, 'abort');
      late.throwIfAborted();
    };
    const stopped = await launch(url, { auditToStdout: true, shutdownSeconds: 1 }, { writeLine });
    await writeLog(stopped, 'acme', 1);
    await stopped.service.internals.deliveries.run();
    await unread.promise;
    expect(await stopped.service.stop()).toBe(true);
    const writer = async (line: string) => void lines.push(line);
    instance = await launch(url, { auditToStdout: true }, { writeLine: writer });
    await deliver(instance);
    expect(lines).toHaveLength(1);
  });

  it('after a start with KEYWARD_AUDIT_STDOUT=off nothing waits for stdout any more', async () => {
    await instance.stop();
    instance = await launch(url, { auditToStdout: false });
    await writeLog(instance, 'acme', 2);
    await deliver(instance);
    expect(lines).toEqual([]);
    const { rows } = await instance.service.internals.database.orm.execute(
      'select count(*)::int as count from webhook_deliveries',
    );
    expect(rows).toEqual([{ count: 0 }]);
  });
});
