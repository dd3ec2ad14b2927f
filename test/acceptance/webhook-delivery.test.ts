import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { clientOf, createKey } from '../support/client.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { TEST_SECRET } from '../support/instance.ts';
import { runProgram, startProgram } from '../support/program.ts';
import { startReceiver, verifySigned } from '../support/receiver.ts';
import { addWebhook } from '../support/sent-webhooks.ts';

const ROOT_KEY = 'a-root-key-for-deliveries-00000000000';

async function prepare() {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const settings = {
    DATABASE_URL: database.url,
    KEYWARD_SECRET: TEST_SECRET,
    KEYWARD_ROOT_KEY: ROOT_KEY,
    KEYWARD_WEBHOOK_NETWORKS: '127.0.0.1',
  };
  return { sql: await connect(database.url), settings };
}

it('a SIGKILL between the commit of a change and its delivery loses no event: the next process sends each of them', {
  timeout: 120_000,
}, async () => {
  const { sql, settings } = await prepare();
  let isHanging = true;
  const receiver = await startReceiver(() =>
    isHanging ? new Promise(() => undefined) : { status: 204 },
  );
  const { id, secret } = await addWebhook(sql, receiver);
  const created: string[] = [];
  // First before anything is claimed, then while attempts are under way.
  for (const underWay of [0, 1, 2]) {
    const program = await startProgram(settings);
    const client = clientOf(program.url, ROOT_KEY);
    for (let made = 0; made < 3; made++) created.push((await createKey(client, 'told of')).id);
    const isUnderWay = () => receiver.received.length >= underWay;
    await expect.poll(isUnderWay, { timeout: 20_000 }).toBe(true);
    expect(await program.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  }
  isHanging = false;
  receiver.received.length = 0;
  // As after the minute that a lease lasts.
  await sql.query(`update webhook_deliveries set leased_until = now() - interval '1 second'`);
  await startProgram(settings);
  const pending = async () =>
    (
      await sql.query(
        `select count(*)::int as n from webhook_deliveries where status <> 'delivered'`,
      )
    ).rows[0].n;
  await expect.poll(pending, { timeout: 30_000 }).toBe(0);
  const told = receiver.received.map((one) => {
    verifySigned(one, secret);
    return one.event.data.target.id;
  });
  expect(told.toSorted()).toEqual(created.toSorted());
  const { rows } = await sql.query('select failing_since from webhooks where id = $1', [id]);
  expect(rows).toEqual([{ failing_since: null }]);
});

it('with KEYWARD_AUDIT_STDOUT=on the lines of stdout are whole, and their copy is verified', {
  timeout: 60_000,
}, async () => {
  const { settings } = await prepare();
  const program = await startProgram({ ...settings, KEYWARD_AUDIT_STDOUT: 'on' });
  const client = clientOf(program.url, ROOT_KEY);
  await Promise.all(Array.from({ length: 12 }, () => createKey(client, 'on stdout')));
  const lines = () =>
    program
      .stdout()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const entries = () => lines().filter(({ event }) => event === 'audit.entry');
  await expect.poll(() => entries().length, { timeout: 20_000 }).toBe(12);
  expect(await program.end('SIGTERM')).toEqual({ code: 0, signal: null });
  const file = join(await temporaryFolder('keyward-copy-'), 'stdout.log');
  await writeFile(file, program.stdout());
  const args = ['audit', 'verify', '--copy', file];
  expect(await runProgram(settings, { args })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^default: intact, entries 1 to 12; head 12:[0-9a-f]{64}; keyed/),
  });
});
