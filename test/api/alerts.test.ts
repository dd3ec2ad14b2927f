import { sql } from 'drizzle-orm';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Condition, Found } from '../../src/alerts/condition.ts';
import { AlertJob } from '../../src/alerts/job.ts';
import { deleteEndedAlerts, endFormerAlerts } from '../../src/alerts/store.ts';
import type { AlertType } from '../../src/domain/alert-types.ts';
import { PERMISSIONS, type Permission } from '../../src/domain/caller.ts';
import type { Log } from '../../src/lib/log-events.ts';
import { UnitOfWork } from '../../src/unit-of-work/unit-of-work.ts';
import {
  alertsOf,
  DAY_MS,
  DAY_S,
  HOUR_MS,
  insertAlert,
  lookAfter,
  MINUTE_MS,
  newWorkspace,
  openIn,
  thresholds,
} from '../support/alerts.ts';
import type { CallOptions, Instance } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const FORBIDDEN = { status: 403, code: 'FORBIDDEN' };
const EXPIRY = thresholds({ expiringDays: [7] });

/** A workspace of its own, with a key that expires within a week and its alert. */
async function alerted() {
  const workspaceId = await newWorkspace(pair, EXPIRY);
  const { id: keyId } = await createKey(pair.first, {
    ...{ workspaceId, expiresInSeconds: 10 * DAY_S },
  });
  await lookAfter(pair, 4 * DAY_MS);
  const [alert] = await alertsOf(pair, workspaceId);
  if (!alert) throw new Error('the key has an alert');
  return { workspaceId, keyId, alert };
}

const bound = async (workspaceId: string, permissions: readonly Permission[] = PERMISSIONS) =>
  (await createManagementKey(pair.first, { permissions, workspaceId })).key;
const acknowledge = (id: string, options: CallOptions = {}) =>
  pair.first.call('POST', `/v1/alerts/${id}/acknowledge`, options);

describe('an alert', () => {
  it('an alert says what it is about, and is in the audit log of its key when it opens and when it ends', async () => {
    const { workspaceId, keyId, alert } = await alerted();
    const { body: key } = await pair.first.call(
      'GET',
      `/v1/keys/${keyId}?workspaceId=${workspaceId}`,
    );
    expect(alert).toEqual({
      ...{ id: alert.id, workspaceId, type: 'key_expiring', target: { type: 'key', id: keyId } },
      ...{ details: { expiresAt: key.expiresAt, days: 7 }, state: 'open', endedAt: null },
      ...{ openedAt: alert.openedAt, acknowledgedAt: null, acknowledgedBy: null },
      acknowledgeNote: null,
    });
    await pair.first.call('POST', `/v1/keys/${keyId}/revoke`);
    await lookAfter(pair, HOUR_MS);
    const [ended, , opened] = await auditOf(pair.first, keyId, workspaceId);
    const actor = { type: 'system', id: 'alerts', onBehalfOf: null };
    const entry = { actor, target: alert.target, before: null, ip: null };
    const after = { alertId: alert.id, details: alert.details };
    expect(opened).toMatchObject({ ...entry, action: 'alert.key_expiring', after });
    const type = 'key_expiring';
    expect(ended).toMatchObject({
      ...{ ...entry, action: 'alert.ended', after: { alertId: alert.id, type } },
    });
    const { body } = await pair.first.call('GET', `/v1/alerts/${alert.id}`);
    expect(body).toEqual({ ...alert, state: 'ended', endedAt: ended.time });
  });

  it('alerts are listed newest first, page by page, by type, target, state, acknowledgement, and of every workspace', async () => {
    const { workspaceId, alert } = await alerted();
    for (const days of [8, 9])
      await createKey(pair.first, { workspaceId, expiresInSeconds: days * DAY_S });
    await lookAfter(pair, 1.5 * DAY_MS);
    await lookAfter(pair, DAY_MS);
    const all = await alertsOf(pair, workspaceId);
    const times = all.map(({ openedAt }) => openedAt);
    expect([all.length, times]).toEqual([3, times.toSorted().toReversed()]);
    const paged = [];
    let cursor = '';
    do {
      const url = `/v1/alerts?workspaceId=${workspaceId}&limit=1${cursor && `&cursor=${cursor}`}`;
      const { body } = await pair.second.call('GET', url);
      paged.push(...body.data);
      cursor = body.nextCursor ?? '';
    } while (cursor);
    expect(paged).toEqual(all);
    await acknowledge(alert.id);
    const ids = async (query: Record<string, string>, of = workspaceId) =>
      (await alertsOf(pair, of, query)).map(({ id }) => id);
    const others = all.map(({ id }) => id).filter((id) => id !== alert.id);
    expect(await ids({ acknowledged: 'true' })).toEqual([alert.id]);
    expect(await ids({ acknowledged: 'false' })).toEqual(others);
    expect(await ids({ targetId: alert.target.id })).toEqual([alert.id]);
    expect(await ids({ targetId: alert.target.id }, '*')).toEqual([alert.id]);
    expect(await ids({ type: 'key_expired' })).toEqual([]);
    expect(await ids({ type: 'key_expiring', state: 'open' })).toHaveLength(3);
    expect(await ids({ state: 'ended' })).toEqual([]);
  });

  it('an alert is acknowledged once, with a note that stays, and both are in the audit log', async () => {
    const { workspaceId, keyId, alert } = await alerted();
    const headers = { 'keyward-actor': 'user:42' };
    const first = await acknowledge(alert.id, { headers, body: { note: 'Known.' } });
    const actor = { type: 'root', id: 'root', onBehalfOf: 'user:42' };
    const time = expect.any(String);
    const expected = { acknowledgedAt: time, acknowledgedBy: actor, acknowledgeNote: 'Known.' };
    expect([first.status, first.body]).toEqual([200, { ...alert, ...expected }]);
    const again = await acknowledge(alert.id, { body: { note: 'Another.' } });
    expect([again.status, again.body]).toEqual([200, first.body]);
    const entries = (await auditOf(pair.first, keyId, workspaceId)).filter(
      ({ action }: { action: string }) => action === 'alert.acknowledged',
    );
    const after = { alertId: alert.id, type: 'key_expiring', note: 'Known.' };
    expect(entries).toMatchObject([{ actor, target: alert.target, before: null, after }]);
  });

  it('an alert that has ended can be acknowledged still, without a note and with an Idempotency-Key', async () => {
    const { keyId, alert } = await alerted();
    await pair.first.call('POST', `/v1/keys/${keyId}/revoke`);
    await lookAfter(pair, HOUR_MS);
    const headers = { 'idempotency-key': `ack-${alert.id}` };
    const first = await acknowledge(alert.id, { headers });
    const again = await acknowledge(alert.id, { headers });
    expect(first.body).toMatchObject({ state: 'ended', acknowledgeNote: null });
    expect([again.body, again.headers['idempotent-replayed']]).toEqual([first.body, 'true']);
  });
});

describe('what becomes of alerts', () => {
  it('the alert of a leaked key ends with its acknowledgement, which nothing else can end', async () => {
    const workspaceId = await newWorkspace(pair);
    const { id: keyId } = await createKey(pair.first, { workspaceId });
    const id = await insertAlert(pair.first, workspaceId, keyId, 'key_leaked');
    await lookAfter(pair, HOUR_MS);
    expect(await openIn(pair, workspaceId)).toEqual([`key_leaked ${keyId}`]);
    const { body } = await acknowledge(id);
    expect(body).toMatchObject({ state: 'ended', endedAt: body.acknowledgedAt });
    expect(await openIn(pair, workspaceId)).toEqual([]);
    const actions = (await auditOf(pair.first, keyId, workspaceId)).map(
      ({ action }: { action: string }) => action,
    );
    expect(actions).toEqual(['alert.ended', 'alert.acknowledged', 'key.created']);
  });

  it('alerts that ended long ago are cleared away, never those that are open', async () => {
    const workspaceId = await newWorkspace(pair);
    const ids = [];
    for (const key of ['key_a', 'key_b', 'key_c'])
      ids.push(await insertAlert(pair.first, workspaceId, key, 'key_leaked'));
    const { clock, database } = pair.first.service.internals;
    const { orm } = database;
    for (const [id, days] of [
      [ids[0], 31],
      [ids[1], 29],
    ] as const) {
      await orm.execute(
        sql`update alerts set ended_at = ${clock.date().toISOString()}::timestamptz - make_interval(days => ${days})
             where id = ${id}`,
      );
    }
    await orm.execute(
      sql`update alerts set opened_at = now() - interval '1 year' where id = any(${sql.param(ids)})`,
    );
    await deleteEndedAlerts(orm, clock.now(), 30);
    const left = (await alertsOf(pair, workspaceId)).map(({ id }) => id);
    expect(left.toSorted()).toEqual(ids.slice(1).toSorted());
  });
});

describe('who sees alerts', () => {
  it('to a caller that is bound to another workspace no alert exists, neither to read nor to acknowledge', async () => {
    const { workspaceId, alert } = await alerted();
    const as = await bound(await newWorkspace(pair));
    expectProblem(await pair.first.call('GET', `/v1/alerts/${alert.id}`, { as }), NOT_FOUND);
    expectProblem(await acknowledge(alert.id, { as }), NOT_FOUND);
    expect((await pair.first.call('GET', '/v1/alerts', { as })).body.data).toEqual([]);
    for (const other of [workspaceId, '*']) {
      const listed = await pair.first.call('GET', `/v1/alerts?workspaceId=${other}`, { as });
      expectProblem(listed, NOT_FOUND);
    }
    const own = await bound(workspaceId);
    const { body } = await pair.first.call('GET', '/v1/alerts', { as: own });
    expect(body.data).toEqual([alert]);
    expect((await acknowledge(alert.id, { as: own })).status).toBe(200);
  });

  it('reading alerts needs alerts:read, acknowledging alerts:write, which alone shows nothing', async () => {
    const { workspaceId, alert } = await alerted();
    const reader = await bound(workspaceId, ['alerts:read']);
    const writer = await bound(workspaceId, ['alerts:write']);
    expect((await pair.first.call('GET', '/v1/alerts', { as: reader })).status).toBe(200);
    expectProblem(await acknowledge(alert.id, { as: reader }), FORBIDDEN);
    for (const url of ['/v1/alerts', `/v1/alerts/${alert.id}`]) {
      expectProblem(await pair.first.call('GET', url, { as: writer }), FORBIDDEN);
    }
    const acknowledged = await acknowledge(alert.id, { as: writer });
    expect([acknowledged.status, acknowledged.text]).toEqual([204, '']);
  });

  it('alerts of an unknown workspace or id are not found', async () => {
    const id = `alert_${'0'.repeat(22)}`;
    expectProblem(await pair.first.call('GET', '/v1/alerts?workspaceId=no'), NOT_FOUND);
    expectProblem(await pair.first.call('GET', `/v1/alerts/${id}`), NOT_FOUND);
    expectProblem(await acknowledge(id), NOT_FOUND);
  });

  it('alerts of a deleted workspace end without a record, and the next tenant of its id sees none of them', async () => {
    const { workspaceId, keyId, alert } = await alerted();
    await pair.first.call('DELETE', `/v1/workspaces/${workspaceId}`);
    await putWorkspace(pair.first, workspaceId, EXPIRY);
    const as = await bound(workspaceId);
    const read = (url: string) => pair.first.call('GET', url, { as });
    const seesNothing = async () => {
      expect((await read('/v1/alerts')).body.data).toEqual([]);
      expect((await read(`/v1/alerts/${alert.id}`)).status).toBe(404);
      expect((await acknowledge(alert.id, { as })).status).toBe(404);
    };
    await seesNothing();
    await lookAfter(pair, HOUR_MS);
    await seesNothing();
    const { body } = await read('/v1/audit-events');
    const actions = body.data.map(({ action }: { action: string }) => action);
    expect(actions).toEqual(['management_key.created', 'workspace.created']);
    expect(await alertsOf(pair, workspaceId)).toMatchObject([{ id: alert.id, state: 'ended' }]);
    const [last] = await auditOf(pair.first, keyId, workspaceId);
    expect(last.action).toBe('alert.key_expiring');
  });

  it.each(['key_leaked', 'webhook_disabled'] as const)(
    'an alert of the type %s, which no check ends, ends with its workspace, and that of its next tenant stays open',
    async (type) => {
      const workspaceId = await newWorkspace(pair);
      const former = await insertAlert(pair.first, workspaceId, 'of the former tenant', type);
      await pair.first.call('DELETE', `/v1/workspaces/${workspaceId}`);
      const { clock, database } = pair.first.service.internals;
      await endFormerAlerts(database.orm, clock.date());
      expect(await alertsOf(pair, workspaceId)).toMatchObject([{ id: former, state: 'ended' }]);
      await putWorkspace(pair.first, workspaceId);
      const present = await insertAlert(pair.first, workspaceId, 'of the next tenant', type);
      await endFormerAlerts(database.orm, clock.date());
      expect(await alertsOf(pair, workspaceId, { state: 'open' })).toMatchObject([{ id: present }]);
    },
  );

  it('open alerts of a workspace that is deleted and not made again end too', async () => {
    const { workspaceId, alert } = await alerted();
    await pair.first.call('DELETE', `/v1/workspaces/${workspaceId}`);
    await lookAfter(pair, HOUR_MS);
    expect(await alertsOf(pair, workspaceId)).toMatchObject([{ id: alert.id, state: 'ended' }]);
  });
});

describe('the job', () => {
  it('two instances that look at once open one alert for a cause', async () => {
    const workspaceId = await newWorkspace(pair, EXPIRY);
    for (let each = 0; each < 3; each++) {
      await createKey(pair.first, { workspaceId, expiresInSeconds: 10 * DAY_S });
    }
    pair.advance(4 * DAY_MS);
    await Promise.all(
      [pair.first, pair.second].map(({ service }) => service.internals.alerts.run()),
    );
    expect(await openIn(pair, workspaceId)).toHaveLength(3);
    const url = `/v1/audit-events?workspaceId=${workspaceId}&action=alert.key_expiring`;
    expect((await pair.first.call('GET', url)).body.data).toHaveLength(3);
  });

  it('expiries are looked at once an hour, however many instances start meanwhile', async () => {
    const { workspaceId } = await alerted();
    await createKey(pair.first, { workspaceId, expiresInSeconds: 7 * DAY_S + 60 });
    for (const [minutes, open] of [
      [58, 1],
      [1.5, 1],
      [1, 2],
    ] as const) {
      pair.advance(minutes * MINUTE_MS);
      const job = jobWith(pair.first);
      await job.run();
      expect(await openIn(pair, workspaceId)).toHaveLength(open);
    }
  });

  it('what the metrics say of alerts is how many are open and were opened by type, and when all were looked at', async () => {
    const name = (what: string) => `keyward_alerts_${what}{type="key_expiring"}`;
    const opened = await metric(pair.second, name('opened_total'));
    await alerted();
    expect(await metric(pair.second, name('opened_total'))).toBe(opened + 1);
    const all = await alertsOf(pair, '*', { state: 'open', type: 'key_expiring' });
    expect(await metric(pair.second, name('open'))).toBe(all.length);
    const last = await metric(pair.second, name('last_success_timestamp_seconds'));
    const now = pair.second.service.internals.clock.now() / 1000;
    expect(now - last).toBeLessThan(60);
    expect(await metric(pair.second, name('failures_total'))).toBe(0);
  });
});

/** Another job on the database of an instance, and the types of which it has logged a failure. */
function jobWith(
  instance: Instance,
  conditions?: readonly Condition[],
  failed: unknown[] = [],
): AlertJob {
  const { database, clock } = instance.service.internals;
  const { orm } = database;
  const write: Log['warn'] = ({ event, type }) => failed.push([event, type]);
  return new AlertJob({
    ...{ orm, clock, unitOfWork: new UnitOfWork(orm, clock, null) },
    log: { debug: write, info: write, warn: write, error: write, fatal: write },
    inTurn: (step) => step(),
    ...(conditions && { conditions }),
  });
}

describe('a job of planted conditions', () => {
  const other = usePair();
  beforeAll(async () => {
    for (const id of ['one', 'two']) await putWorkspace(other.first, id);
  });

  const finding = (targetId: string): Found => {
    return { targetType: 'key', targetId, cause: 'planted', details: {} };
  };
  const planted = (type: AlertType, find: Condition['find']): Condition => {
    return { type, everyMs: HOUR_MS, find, concerns: () => sql`w.id in ('one', 'two')` };
  };
  const openOf = async (workspaceId: string, type: AlertType) =>
    (await alertsOf(other, workspaceId, { state: 'open', type })).length;

  it('a condition that fails is logged and counted, and keeps neither another condition nor another workspace from its turn', async () => {
    const fails = planted('usage_unusual', async ({ workspace }) => {
      if (workspace.id === 'one') throw new Error('planted');
      return [finding('key_a')];
    });
    const works = planted('limited_often', async () => [finding('key_a')]);
    const failed: unknown[] = [];
    const job = jobWith(other.first, [fails, works], failed);
    await job.run();
    expect(await openOf('two', 'usage_unusual')).toBe(1);
    expect(await openOf('one', 'limited_often')).toBe(1);
    expect(job.watches).toMatchObject([
      { type: 'usage_unusual', opened: 1, failures: 1, lastSuccessAt: null },
      { type: 'limited_often', opened: 2, failures: 0, lastSuccessAt: expect.any(Number) },
    ]);
    expect(failed).toEqual([['alerts.check_failed', 'usage_unusual']]);
  });

  it('a run opens 500 alerts at most, half of the rest for one workspace, and the next run, on any instance, goes on', async () => {
    const many = planted('rotation_due', async ({ workspace }) =>
      Array.from({ length: workspace.id === 'one' ? 650 : 20 }, (_, i) => finding(`key_${i}`)),
    );
    await jobWith(other.first, [many]).run();
    const counts = async () => {
      const { orm } = other.first.service.internals.database;
      const { rows } = await orm.execute<{ count: number }>(
        sql`select count(*)::integer as count from alerts where type = 'rotation_due'`,
      );
      return rows[0]?.count;
    };
    expect([await counts(), await openOf('two', 'rotation_due')]).toEqual([270, 20]);
    for (const total of [520, 670, 670]) {
      other.advance(1);
      await jobWith(other.second, [many]).run();
      expect(await counts()).toBe(total);
    }
  });

  it('what is beyond the limit of a check does not end, and what is no longer true does', async () => {
    const asked: (readonly string[])[] = [];
    let found = ['key_a', 'key_b', 'key_c'];
    let shown = 3;
    const condition = planted('key_leaked', async ({ targets, workspace }) => {
      if (workspace.id !== 'one') return [];
      if (targets) asked.push(targets.toSorted());
      const named = targets ? found.filter((id) => targets.includes(id)) : found.slice(0, shown);
      return named.map(finding);
    });
    await jobWith(other.first, [condition]).run();
    expect(await openOf('one', 'key_leaked')).toBe(3);
    [found, shown] = [['key_a', 'key_c'], 1];
    other.advance(HOUR_MS);
    await jobWith(other.second, [condition]).run();
    expect(asked).toEqual([['key_b', 'key_c']]);
    const open = await alertsOf(other, 'one', { state: 'open', type: 'key_leaked' });
    expect(open.map(({ target }) => target.id).toSorted()).toEqual(['key_a', 'key_c']);
  });

  it('an instance that was too slow with its check writes nothing after another one has taken it', async () => {
    let take: () => Promise<void> = async () => undefined;
    const slow = planted('usage_unusual', async () => {
      await take();
      return [finding('key_slow')];
    });
    other.advance(2 * HOUR_MS);
    take = async () => {
      take = async () => undefined;
      other.advance(3 * MINUTE_MS);
      await jobWith(other.second, [planted('usage_unusual', async () => [])]).run();
    };
    await jobWith(other.first, [slow]).run();
    const all = await alertsOf(other, '*', { targetId: 'key_slow' });
    expect(all).toEqual([]);
  });
});
