import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AlertReader } from '../../src/alerts/alert-reader.ts';
import type { Condition, Found } from '../../src/alerts/condition.ts';
import { LIMITED_OFTEN } from '../../src/alerts/conditions/limited-often.ts';
import { USAGE_UNUSUAL } from '../../src/alerts/conditions/unusual-use.ts';
import { WRONG_KEYS } from '../../src/alerts/conditions/wrong-keys.ts';
import type { Orm } from '../../src/db/database.ts';
import {
  type AlertThresholds,
  DEFAULT_ALERT_THRESHOLDS,
} from '../../src/domain/alert-thresholds.ts';
import { DEFAULT_IDLE_POLICY } from '../../src/domain/idle-policy.ts';
import { connect, createTestDatabase, ormOf, type TestDatabase } from '../support/database.ts';
import { launchForTest } from '../support/instance.ts';
import { HOUR_MS, instantOf, retain, timeOf } from '../support/kept-usage.ts';
import { createKey, insertKey, verdict } from '../support/sql-keys.ts';

const MINUTE_MS = 60_000;
const ZERO = new Date(0);

let database: TestDatabase;
let sql: pg.Client;
let orm: Orm;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  sql = await connect(database.url);
  orm = ormOf(sql);
  await sql.query(`truncate keys, secrets, key_usage, usage_recent, usage_hours, usage_days,
                            usage_unmatched, alerts`);
  await sql.query(`insert into workspaces (id) values ('w'), ('other') on conflict do nothing`);
});

/** Eleven o'clock and five minutes: ten o'clock is the hour that is judged. */
const NOON = new Date(timeOf(0, 11) + 5 * MINUTE_MS);
const JUDGED = 10;

interface Look {
  workspace?: string;
  now?: Date;
  limit?: number;
  targets?: string[];
  createdAt?: Date;
  thresholds?: Partial<AlertThresholds>;
}

function find(condition: Condition, look: Look = {}): Promise<Found[]> {
  const { workspace: id = 'w', now = NOON, limit = 500, targets, createdAt = ZERO } = look;
  const thresholds = { ...DEFAULT_ALERT_THRESHOLDS, ...look.thresholds };
  const workspace = { id, createdAt, thresholds, idlePolicy: DEFAULT_IDLE_POLICY };
  const { query: read } = new AlertReader(orm, (step) => step());
  return condition.find({ orm, read, workspace, now, limit, ...(targets && { targets }) });
}

const targetsOf = (found: readonly Found[]) => found.map(({ targetId }) => targetId);

const newKey = (id: string, workspaceId = 'w') => insertKey(sql, { id, ref: id, workspaceId });

interface Use {
  /** Days ago, or from when to when. */
  days?: readonly [number, number];
  hours?: readonly number[];
  count: number;
  code?: string;
  workspace?: string;
}

/** Counts a use in each of the hours of each of the days, as flushes and the fold do. */
async function use(key: string, { days = [0, 0], hours = [JUDGED], count, ...more }: Use) {
  const { code = 'VALID', workspace = 'w' } = more;
  const [from, to] = days;
  const times = Array.from({ length: from - to + 1 }, (_, day) => from - day).flatMap((day) =>
    hours.map((hour) => instantOf(day, hour)),
  );
  await sql.query(
    `insert into usage_recent as u
     select $1, $2, hour, 'ref', $3, $4, 0 from unnest($5::timestamptz[]) as hour
     on conflict (workspace_id, key_id, hour, secret_ref, code) do update set count = u.count + $4`,
    [workspace, key, code, count, times],
  );
  const column = code === 'VALID' ? 'last_used_at' : 'last_denied_at';
  await sql.query(
    `update key_usage set ${column} = greatest(${column}, (select max(t) from unnest($2::timestamptz[]) as t))
      where key_id = $1`,
    [key, times],
  );
}

const ALL_DAY = Array.from({ length: 24 }, (_, hour) => hour);

describe('the alert of unusual use', () => {
  it('a key that is used far more than ever is found, with the hour and the bound, wherever its counts are kept', async () => {
    await newKey('key');
    await use('key', { days: [40, 1], hours: ALL_DAY, count: 50 });
    await use('key', { count: 251 });
    const expected = [
      {
        targetType: 'key',
        targetId: 'key',
        cause: instantOf(0).slice(0, 10),
        details: { hour: instantOf(0, JUDGED), verifications: 251, unusualAbove: 250 },
      },
    ];
    expect(await find(USAGE_UNUSUAL)).toEqual(expected);
    await retain(orm);
    const { rows } = await sql.query('select count(*)::int as recent from usage_recent');
    expect(rows).toEqual([{ recent: 1 }]);
    expect(await find(USAGE_UNUSUAL)).toEqual(expected);
  });

  it('a burst just below the bound is not unusual, and verdicts of every kind count', async () => {
    await newKey('key');
    await use('key', { days: [40, 1], hours: ALL_DAY, count: 50 });
    await use('key', { count: 100 });
    await use('key', { count: 150, code: 'RATE_LIMITED' });
    expect(await find(USAGE_UNUSUAL)).toEqual([]);
    await use('key', { count: 1, code: 'EXPIRED' });
    expect(targetsOf(await find(USAGE_UNUSUAL))).toEqual(['key']);
  });

  it('the busy hour of a weekday is not unusual, and the same burst on a day of the week that is quiet is', async () => {
    for (const id of ['workday', 'quiet day']) {
      await newKey(id);
      await use(id, { days: [34, 1], hours: [3], count: 1 });
      // Once a week: on this day of the week, or on the day before it.
      const offset = id === 'workday' ? 0 : 1;
      for (const week of [1, 2, 3, 4]) {
        const day = 7 * week + offset;
        await use(id, { days: [day, day], hours: [JUDGED, JUDGED + 1], count: 300 });
      }
      await use(id, { count: 700 });
    }
    expect(targetsOf(await find(USAGE_UNUSUAL))).toEqual(['quiet day']);
  });

  it('a holiday without any use is not unusual, nor is the day after it', async () => {
    await newKey('key');
    await use('key', { days: [36, 2], hours: ALL_DAY, count: 400 });
    expect(await find(USAGE_UNUSUAL)).toEqual([]);
    await use('key', { count: 420 });
    expect(await find(USAGE_UNUSUAL)).toEqual([]);
  });

  it('a new key is not unusual however much it is used, nor is one that was never used before', async () => {
    await newKey('new');
    await newKey('first used');
    await use('new', { days: [12, 1], hours: ALL_DAY, count: 1 });
    for (const id of ['new', 'first used']) await use(id, { count: 100_000 });
    expect(await find(USAGE_UNUSUAL)).toEqual([]);
  });

  it('the job of each quarter is not unusual for a key that is idle by design in between', async () => {
    await newKey('key');
    await use('key', { days: [92, 92], hours: [2, 3, 4], count: 40_000 });
    await use('key', { days: [30, 1], hours: [5], count: 2 });
    await use('key', { count: 45_000 });
    await retain(orm);
    expect(await find(USAGE_UNUSUAL)).toEqual([]);
    await use('key', { count: 200_000 });
    expect(targetsOf(await find(USAGE_UNUSUAL))).toEqual(['key']);
  });

  it('an hour is judged from five minutes after its end, and not sooner', async () => {
    await newKey('key');
    await use('key', { days: [20, 1], hours: ALL_DAY, count: 10 });
    await use('key', { count: 1000 });
    const before = new Date(NOON.getTime() - 1);
    expect(await find(USAGE_UNUSUAL, { now: before })).toEqual([]);
    expect(await find(USAGE_UNUSUAL)).toHaveLength(1);
    const lastMoment = new Date(NOON.getTime() + HOUR_MS - 1);
    expect(await find(USAGE_UNUSUAL, { now: lastMoment })).toHaveLength(1);
    const later = new Date(NOON.getTime() + HOUR_MS);
    expect(await find(USAGE_UNUSUAL, { now: later })).toEqual([]);
  });

  it('a workspace has a factor and a minimum of its own, and without a factor no alert of unusual use', async () => {
    await newKey('key');
    await use('key', { days: [20, 1], hours: ALL_DAY, count: 10 });
    await use('key', { count: 90 });
    const withThresholds = (thresholds: Partial<AlertThresholds>) =>
      find(USAGE_UNUSUAL, { thresholds });
    expect(await withThresholds({})).toEqual([]);
    expect(await withThresholds({ unusualMinimum: 90 })).toHaveLength(1);
    expect(await withThresholds({ unusualMinimum: 90, unusualFactor: 9 })).toEqual([]);
    expect(await withThresholds({ unusualMinimum: 1, unusualFactor: null })).toEqual([]);
  });

  it('keys of other workspaces and revoked keys are no alert of unusual use', async () => {
    await newKey('elsewhere', 'other');
    await newKey('revoked');
    await use('elsewhere', { days: [20, 1], hours: ALL_DAY, count: 10, workspace: 'other' });
    await use('elsewhere', { count: 1000, workspace: 'other' });
    await use('revoked', { days: [20, 1], hours: ALL_DAY, count: 10 });
    await use('revoked', { count: 1000 });
    await sql.query(`update keys set revoked_at = now() where id = 'revoked'`);
    expect(await find(USAGE_UNUSUAL)).toEqual([]);
    const found = await find(USAGE_UNUSUAL, { workspace: 'other' });
    expect(targetsOf(found)).toEqual(['elsewhere']);
  });

  it('what goes on keeps the cause of its open alert, and what comes again on the same day has the same cause', async () => {
    await newKey('key');
    await use('key', { days: [20, 1], hours: ALL_DAY, count: 10 });
    await use('key', { count: 1000 });
    const causes = async () => (await find(USAGE_UNUSUAL)).map(({ cause }) => cause);
    await sql.query(
      `insert into alerts (id, workspace_id, type, target_type, target_id, cause, details, opened_at)
       values ('alert_1', 'w', 'usage_unusual', 'key', 'key', 'yesterday', '{}', now())`,
    );
    expect(await causes()).toEqual(['yesterday']);
    await sql.query('update alerts set ended_at = now()');
    expect(await causes()).toEqual([instantOf(0).slice(0, 10)]);
  });

  it('of very many keys all are looked at in pages, found in the order of their ids, up to a limit, or those alone that are asked for', async () => {
    await sql.query(
      `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled, created_at, created_by, updated_at)
       select 'key_' || lpad(i::text, 5, '0'), 'w', 'many', 'ak_live', '{}', '{}', true, now(), '{}', now()
         from generate_series(1, 2300) as i`,
    );
    const unusual = [5, 1000, 1001, 2299].map((i) => `key_${String(i).padStart(5, '0')}`);
    for (const id of unusual) {
      await use(id, { days: [20, 1], hours: ALL_DAY, count: 10 });
      await use(id, { count: 1000 });
    }
    expect(targetsOf(await find(USAGE_UNUSUAL))).toEqual(unusual);
    expect(targetsOf(await find(USAGE_UNUSUAL, { limit: 3 }))).toEqual(unusual.slice(0, 3));
    const targets = ['key_00006', 'key_02299'];
    expect(targetsOf(await find(USAGE_UNUSUAL, { targets }))).toEqual(['key_02299']);
  });
});

describe('the alert of keys that are limited often', () => {
  it('a key that was limited in six of the last 24 hours is found, and one in five is not', async () => {
    for (const [id, hours] of [
      ['five', [3, 4, 5, 6, 10]],
      ['six', [3, 4, 5, 6, 9, 10]],
    ] as const) {
      await newKey(id);
      await use(id, { hours, count: 7, code: 'RATE_LIMITED' });
      await use(id, { hours: ALL_DAY, count: 500 });
    }
    const [found, ...others] = await find(LIMITED_OFTEN);
    expect(others).toEqual([]);
    expect(found).toEqual({
      targetType: 'key',
      targetId: 'six',
      cause: instantOf(0).slice(0, 10),
      details: { hours: 6, limited: 42, until: instantOf(0, 11) },
    });
  });

  it('the 24 hours go back to yesterday, in the tables that retention moves counts to, and no further', async () => {
    await newKey('key');
    const limited = { count: 1, code: 'RATE_LIMITED' };
    await use('key', { days: [1, 1], hours: [10, 11, 12, 20], ...limited });
    await use('key', { hours: [1, 2], ...limited });
    expect(await find(LIMITED_OFTEN)).toEqual([]);
    await use('key', { hours: [3], ...limited });
    const found = await find(LIMITED_OFTEN);
    expect(found).toMatchObject([{ targetId: 'key', details: { hours: 6 } }]);
    await retain(orm);
    expect(await find(LIMITED_OFTEN)).toEqual(found);
  });

  it('verdicts other than RATE_LIMITED do not make a key limited often', async () => {
    await newKey('key');
    for (const code of ['VALID', 'CREDITS_EXHAUSTED', 'INSUFFICIENT_SCOPE']) {
      await use('key', { hours: [3, 4, 5, 6, 7, 8, 9], count: 50, code });
    }
    expect(await find(LIMITED_OFTEN)).toEqual([]);
  });

  it('a workspace sets in how many hours a key is limited often, or that there is no such alert', async () => {
    await newKey('key');
    await use('key', { hours: [3, 4], count: 1, code: 'RATE_LIMITED' });
    expect(await find(LIMITED_OFTEN, { thresholds: { limitedHours: 2 } })).toHaveLength(1);
    expect(await find(LIMITED_OFTEN, { thresholds: { limitedHours: 3 } })).toEqual([]);
    expect(await find(LIMITED_OFTEN, { thresholds: { limitedHours: null } })).toEqual([]);
  });

  it('an alert of a key that stays limited keeps its cause over midnight', async () => {
    await newKey('key');
    await use('key', { days: [1, 0], hours: ALL_DAY, count: 1, code: 'RATE_LIMITED' });
    const [found] = await find(LIMITED_OFTEN, { now: new Date(timeOf(0) + 5 * MINUTE_MS) });
    expect(found?.cause).toBe(instantOf(1).slice(0, 10));
    await sql.query(
      `insert into alerts (id, workspace_id, type, target_type, target_id, cause, details, opened_at)
       values ('alert_1', 'w', 'limited_often', 'key', 'key', $1, '{}', now())`,
      [found?.cause],
    );
    expect(await find(LIMITED_OFTEN)).toMatchObject([{ cause: found?.cause }]);
  });
});

describe('the alert of wrong keys', () => {
  const tried = (workspace: string, hour: number, count: number, day = 0) =>
    sql.query('insert into usage_unmatched values ($1, $2, $3)', [
      workspace,
      instantOf(day, hour),
      count,
    ]);

  it('a workspace with a thousand wrong keys in an hour is found, and with one less it is not', async () => {
    await tried('w', JUDGED, 999);
    await tried('other', JUDGED, 1000);
    await tried('w', JUDGED - 1, 5000);
    expect(await find(WRONG_KEYS)).toEqual([]);
    expect(await find(WRONG_KEYS, { workspace: 'other' })).toEqual([
      {
        targetType: 'workspace',
        targetId: 'other',
        cause: instantOf(0).slice(0, 10),
        details: { hour: instantOf(0, JUDGED), attempts: 1000 },
      },
    ]);
  });

  it('attempts that were about no workspace count for the default one', async () => {
    await tried('*', JUDGED, 900);
    await tried('default', JUDGED, 100);
    const [found] = await find(WRONG_KEYS, { workspace: 'default' });
    expect(found?.details).toMatchObject({ attempts: 1000 });
    expect(await find(WRONG_KEYS)).toEqual([]);
  });

  it('the last hour of a day is judged also after retention has moved it', async () => {
    await tried('w', 23, 2000, 1);
    const now = new Date(timeOf(0) + 20 * MINUTE_MS);
    const found = await find(WRONG_KEYS, { now });
    expect(found).toMatchObject([{ details: { attempts: 2000, hour: instantOf(1, 23) } }]);
    await retain(orm);
    expect((await sql.query('select from usage_unmatched')).rowCount).toBe(0);
    expect(await find(WRONG_KEYS, { now })).toEqual(found);
  });

  it('wrong keys of a former tenant of the id are no alert of the new one', async () => {
    await tried('w', JUDGED, 5000);
    const createdAt = new Date(timeOf(0, JUDGED) + 1);
    expect(await find(WRONG_KEYS, { createdAt })).toEqual([]);
    expect(await find(WRONG_KEYS, { createdAt: new Date(timeOf(0, JUDGED)) })).toHaveLength(1);
  });

  it('a workspace sets how many wrong keys are many, or that there is no such alert', async () => {
    await tried('w', JUDGED, 50);
    expect(await find(WRONG_KEYS, { thresholds: { wrongKeysPerHour: 50 } })).toHaveLength(1);
    expect(await find(WRONG_KEYS, { thresholds: { wrongKeysPerHour: 51 } })).toEqual([]);
    await tried('other', JUDGED, 1_000_000);
    const thresholds = { wrongKeysPerHour: null };
    expect(await find(WRONG_KEYS, { workspace: 'other', thresholds })).toEqual([]);
  });
});

describe('the job of alerts', () => {
  it('the job opens an alert of wrong keys and of a key that is limited often, once, and ends them when it is over', async () => {
    const instance = await launchForTest(database.url);
    const alertThresholds = { ...DEFAULT_ALERT_THRESHOLDS, wrongKeysPerHour: 3, limitedHours: 1 };
    await instance.call('PUT', '/v1/workspaces/watched', { body: { alertThresholds } });
    const rateLimits = [{ name: 'burst', limit: 1, windowSeconds: 60 }];
    const { id, key } = await createKey(instance, { workspaceId: 'watched', rateLimits });
    // Within one hour, whenever the test runs.
    instance.advance(HOUR_MS - (Date.now() % HOUR_MS));
    expect([await verdict(instance, key), await verdict(instance, key)]).toEqual([
      ...['VALID', 'RATE_LIMITED'],
    ]);
    for (let i = 0; i < 3; i++) {
      const body = { key: 'not one of ours', workspaceId: 'watched' };
      await instance.call('POST', '/v1/verify', { body });
    }
    await instance.flush();
    const alertsAt = async (hours: number) => {
      instance.advance(hours * HOUR_MS);
      for (let i = 0; i < 2; i++) await instance.service.internals.alerts.run();
      const { body } = await instance.call('GET', '/v1/alerts?workspaceId=watched');
      return body.data
        .map((one: { type: string; target: { id: string }; endedAt: string | null }) => {
          return [one.type, one.target.id, one.endedAt === null];
        })
        .sort();
    };
    expect(await alertsAt(0)).toEqual([]);
    expect(await alertsAt(1.5)).toEqual([
      ['limited_often', id, true],
      ['wrong_keys', 'watched', true],
    ]);
    expect(await alertsAt(1)).toEqual([
      ['limited_often', id, true],
      ['wrong_keys', 'watched', false],
    ]);
    expect(await alertsAt(23)).toEqual([
      ['limited_often', id, false],
      ['wrong_keys', 'watched', false],
    ]);
  });
});
