import { afterAll, beforeAll, expect, it } from 'vitest';
import { LOG_EVENTS } from '../../src/lib/log-events.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createKey, verify } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const HEADERS = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };

let database: TestDatabase;
let instance: Instance;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

/** The lines that are written while something is done. */
async function linesOf(work: () => Promise<unknown>) {
  const before = instance.logLines.length;
  await work();
  return instance.logLines.slice(before).map((line) => JSON.parse(line));
}

async function whileFailing(name: string, code: string, work: () => Promise<unknown>) {
  const restore = interceptQuery(instance.service.internals.database, name, () => {
    throw Object.assign(new Error('failed'), { code });
  });
  await work().finally(restore);
}

const limited = async () => (await createKey(instance, { credits: { remaining: 9 } })).key;
const call = (body: object, url = '/v1/verify') =>
  instance.call('POST', url, { body, headers: HEADERS });

it.each([
  ['an answer', 'request', 'info', async () => call({ key: 'unknown' })],
  ['a refusal', 'request', 'info', async () => call({})],
  [
    'an answer without the database',
    'request.unavailable',
    'warn',
    async () => {
      const key = await limited();
      await whileFailing('consume_limits', '57P01', () => call({ key }));
    },
  ],
  [
    'a failure',
    'request.failed',
    'error',
    async () => {
      const key = await limited();
      await whileFailing('consume_limits', 'P0001', () => call({ key }));
    },
  ],
  [
    'a batch with an item that is not decided',
    'batch.items_undecided',
    'warn',
    async () => {
      const requests = [{ key: await limited() }, { key: 'unknown' }];
      await whileFailing('consume_limits', '57P01', () => call({ requests }, '/v1/verify/batch'));
    },
  ],
])('%s has the event %s, its request and its trace', async (_what, event, level, work) => {
  const lines = (await linesOf(work)).filter((line) => line.event === event);
  expect(lines.at(-1)).toMatchObject({ level, traceId: TRACE });
  expect(lines.at(-1).requestId).toMatch(/^req_/);
});

it('a request without a valid traceparent has no trace in its line', async () => {
  const [line] = await linesOf(() => verify(instance, 'unknown'));
  expect(line).toMatchObject({ event: 'request' });
  expect(line).not.toHaveProperty('traceId');
});

it('counters that are not written, and a log that is not folded, have events of their own', async () => {
  const { flusher, fold, database: own } = instance.service.internals;
  await verify(instance, 'unknown');
  flusher.start(1);
  const lost = Object.assign(new Error('lost'), { code: 'ECONNRESET' });
  const { transaction } = own.dataOrm;
  const lines = await linesOf(() =>
    whileFailing('append_usage_log', '57P01', async () => {
      own.dataOrm.transaction = () => Promise.reject(lost);
      await fold.run();
      own.dataOrm.transaction = transaction;
      await expect.poll(() => instance.logLines.join('')).toContain('usage.flush_failed');
    }),
  );
  const events = lines.map(({ event }) => event);
  expect(events).toContain('usage.flush_failed');
  expect(events).toContain('usage.fold_failed');
});

it('what a library writes by itself has the event library', async () => {
  const [line] = await linesOf(async () => instance.service.app.log.warn('a line of a library'));
  expect(line).toMatchObject({ event: 'library', msg: 'a line of a library' });
});

it('every line of an instance that starts, serves and stops has an event of the documented list', async () => {
  const own = await launch(database.url);
  await own.call('GET', '/v1/nothing');
  await own.stop();
  const events = own.logLines.map((line) => JSON.parse(line).event);
  expect(events).toContain('stop.phase_done');
  expect(events.filter((event) => !LOG_EVENTS.includes(event) || event === 'library')).toEqual([]);
});
