import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEY_UNUSED } from '../../src/alerts/conditions/unused.ts';
import { AlertJob } from '../../src/alerts/job.ts';
import { pepperFrom } from '../../src/domain/pepper.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { UnitOfWork } from '../../src/unit-of-work/unit-of-work.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launchForTest, TEST_SECRET } from '../support/instance.ts';
import { auditOf, createManagementKey, putWorkspace } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey as createKeyOn, verdict } from '../support/sql-keys.ts';

const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const POLICY = { warnAfterDays: 30, disableAfterDays: 60, revokeAfterDays: 90, noticeDays: 10 };

let database: TestDatabase;
let first: Instance;
let second: Instance;
/** How many days have passed. */
let today: number;

beforeEach(async () => {
  database = await createTestDatabase();
  first = await launchForTest(database.url);
  second = await launchForTest(database.url);
  today = 0;
  await setPolicy(POLICY);
});
afterEach(() => database.drop());

async function setPolicy(idlePolicy: object | null, id = 'w'): Promise<void> {
  const url = `/v1/workspaces/${id}`;
  const patched = await first.call('PATCH', url, { body: { idlePolicy } });
  if (patched.status === 404) await putWorkspace(first, id, { idlePolicy });
  else expect(patched.status).toBe(200);
}

const createKey = (more: object = {}) => createKeyOn(first, { workspaceId: 'w', ...more });

/** As many days after the start, and a minute: times in between have passed. */
function goTo(day: number): void {
  const ms = (day - today) * DAY_MS + (today === 0 ? MINUTE_MS : 0);
  for (const instance of [first, second]) instance.advance(ms);
  today = day;
}

/** Warns, and ends warnings: the job of alerts with this one condition. */
function alert(): Promise<void> {
  const { clock, database } = first.service.internals;
  const { orm } = database;
  const unitOfWork = new UnitOfWork(orm, clock, pepperFrom(TEST_SECRET) ?? null);
  const log = createLogger('silent');
  const conditions = [KEY_UNUSED];
  return new AlertJob({ orm, unitOfWork, log, clock, inTurn: (step) => step(), conditions }).run();
}

const apply = () => first.service.internals.idlePolicy.run();

/** What the jobs of a day do. */
async function live(day: number): Promise<void> {
  goTo(day);
  await alert();
  await apply();
}

async function use(key: string): Promise<string> {
  const code = await verdict(first, key);
  await first.flush();
  return code;
}

async function statusOf(id: string): Promise<string> {
  return (await second.call('GET', `/v1/keys/${id}`)).body.status;
}

async function statuses(): Promise<Map<string, string>> {
  const { body } = await second.call('GET', '/v1/keys?workspaceId=w&limit=200');
  return new Map(body.data.map((key: { id: string; status: string }) => [key.id, key.status]));
}

interface Planned {
  id: string;
  warnedAt: string | null;
  steps: { step: string; at: string }[];
}

/** All pages of the dry run. */
async function dryRun(parameters: object = {}, limit = 200) {
  const data: Planned[] = [];
  let cursor: string | null = null;
  let asOf = '';
  do {
    const given = { workspaceId: 'w', limit, ...parameters, ...(cursor && { cursor }) };
    const query = new URLSearchParams(
      Object.entries(given).map(
        ([name, value]) => [name, String(value)] satisfies [string, string],
      ),
    );
    const { body, status } = await second.call('GET', `/v1/reports/idle-keys?${query}`);
    expect(status).toBe(200);
    data.push(...body.data);
    asOf = body.asOf;
    cursor = body.nextCursor;
  } while (cursor);
  return { data, asOf };
}

/** In how many days from the start each step of a key comes, as the dry run says. */
async function plannedDays(id: string, parameters: object = {}) {
  const { data, asOf } = await dryRun(parameters);
  const steps = data.find((one) => one.id === id)?.steps ?? [];
  const dayOf = (at: string) => Math.round(today + (Date.parse(at) - Date.parse(asOf)) / DAY_MS);
  return steps.map(({ step, at }) => [step, dayOf(at)]);
}

describe('the idle policy', () => {
  it('a key that nobody uses is warned of, then disabled, then revoked, on every instance and on the record', async () => {
    const { id, key } = await createKey();
    const used = await createKey();
    expect(await verdict(second, key)).toBe('VALID');
    const days: Record<string, number> = {};
    for (const day of [20, 31, 59, 60, 89, 90, 95]) {
      goTo(day);
      await use(used.key);
      await live(day);
      const status = await statusOf(id);
      days[status] ??= day;
    }
    expect(days).toEqual({ active: 20, disabled: 60, revoked: 90 });
    expect(await verdict(second, key)).toBe('REVOKED');
    expect(await verdict(second, used.key)).toBe('VALID');
    const { body } = await first.call('GET', `/v1/keys/${id}`);
    expect(body).toMatchObject({ enabled: false, revokeReason: 'idle' });
    const entries = await auditOf(first, id, 'w');
    expect(entries.map((entry: { action: string }) => entry.action)).toEqual([
      'alert.ended',
      'key.revoked',
      'key.updated',
      'alert.key_unused',
      'key.created',
    ]);
    for (const entry of entries.slice(1, 3)) {
      expect(entry.actor).toEqual({ type: 'system', id: 'idle-policy', onBehalfOf: null });
    }
    expect(entries[2]).toMatchObject({ before: { enabled: true }, after: { enabled: false } });
  });

  it('a disabling by the policy is in force at once on an instance that knows the key', async () => {
    const { key } = await createKey();
    goTo(5);
    expect(await verdict(second, key)).toBe('VALID');
    await second.flush();
    await live(36);
    await live(65);
    expect(await verdict(second, key)).toBe('DISABLED');
  });

  it('a key that is used again after the warning is not disabled, be its alert still open', async () => {
    const { id, key } = await createKey();
    await live(31);
    goTo(59);
    expect(await use(key)).toBe('VALID');
    goTo(61);
    await apply();
    expect(await statusOf(id)).toBe('active');
    await live(80);
    expect(await statusOf(id)).toBe('active');
    const { body } = await first.call('GET', `/v1/alerts?workspaceId=w&state=open&targetId=${id}`);
    expect(body.data).toEqual([]);
  });

  it('no key is disabled before its alert was open for the days of notice, however long nobody used it', async () => {
    const { id } = await createKey();
    goTo(300);
    await apply();
    expect(await statusOf(id)).toBe('active');
    await alert();
    await live(309);
    expect(await statusOf(id)).toBe('active');
    await live(310);
    expect(await statusOf(id)).toBe('disabled');
    await live(319);
    expect(await statusOf(id)).toBe('disabled');
    await live(320);
    expect(await statusOf(id)).toBe('revoked');
  });

  it('an alert that has ended is no warning', async () => {
    const { id } = await createKey();
    await live(31);
    const sql = await connect(database.url);
    await sql.query('update alerts set ended_at = now()');
    goTo(200);
    await apply();
    expect(await statusOf(id)).toBe('active');
  });

  it.each([
    ['later', { ...POLICY, disableAfterDays: 75 }, 75],
    ['sooner', { ...POLICY, disableAfterDays: 45 }, 65],
    ['with a longer notice', { ...POLICY, noticeDays: 20 }, 75],
  ])(
    'a policy that changes between warning and disabling to do so %s counts as it is then, after its own notice',
    async (_how, changed, disabledOn) => {
      const { id } = await createKey();
      await live(31);
      goTo(55);
      await setPolicy(changed);
      expect((await plannedDays(id))[0]).toEqual(['disable', disabledOn]);
      await live(disabledOn - 1);
      expect(await statusOf(id)).toBe('active');
      await live(disabledOn);
      expect(await statusOf(id)).toBe('disabled');
    },
  );

  it('a policy that is taken back, or that only warns, ends no key', async () => {
    const { id } = await createKey();
    await live(31);
    await setPolicy({ ...POLICY, disableAfterDays: null, revokeAfterDays: null });
    await live(200);
    expect(await statusOf(id)).toBe('active');
    await setPolicy(null);
    await live(400);
    expect(await statusOf(id)).toBe('active');
  });

  it('a policy without a step to disable revokes a key that is enabled, after the warning', async () => {
    await setPolicy({ ...POLICY, disableAfterDays: null });
    const { id } = await createKey();
    await live(31);
    await live(89);
    expect(await statusOf(id)).toBe('active');
    await live(90);
    expect(await statusOf(id)).toBe('revoked');
  });

  it('a key that someone enables again is left alone for the days of notice', async () => {
    const { id } = await createKey();
    await live(31);
    await live(60);
    expect(await statusOf(id)).toBe('disabled');
    goTo(85);
    await first.call('PATCH', `/v1/keys/${id}`, { body: { enabled: true } });
    await live(94);
    expect(await statusOf(id)).toBe('active');
    await live(95);
    expect(await statusOf(id)).toBe('disabled');
  });

  it('a disabled key that somebody presents in vain is not revoked until that was the days of notice ago', async () => {
    const { id, key } = await createKey();
    await live(31);
    await live(60);
    goTo(88);
    expect(await use(key)).toBe('DISABLED');
    await live(97);
    expect(await statusOf(id)).toBe('disabled');
    await live(98);
    expect(await statusOf(id)).toBe('revoked');
  });

  it('a key that was disabled by hand before any warning is idle by design, and is left as it is', async () => {
    const { id } = await createKey({ enabled: false });
    await live(31);
    await live(200);
    expect(await statusOf(id)).toBe('disabled');
    expect(await plannedDays(id)).toEqual([]);
  });

  it('a scheduled key is unused from the time on from which it is valid', async () => {
    const notBefore = new Date(Date.now() + 100 * DAY_MS).toISOString();
    const { id } = await createKey({ notBefore });
    await live(90);
    await live(131);
    await live(159);
    expect(await statusOf(id)).toBe('active');
    await live(161);
    expect(await statusOf(id)).toBe('disabled');
  });

  it('a suspended workspace loses no key, and has the days of notice after it is resumed', async () => {
    const { id } = await createKey();
    await live(31);
    goTo(50);
    await first.call('POST', '/v1/workspaces/w/suspend', { body: {} });
    await live(100);
    expect(await statusOf(id)).toBe('active');
    expect(await plannedDays(id, { disableAfterDays: 61 })).toEqual([]);
    await first.call('POST', '/v1/workspaces/w/resume', { body: {} });
    await live(109);
    expect(await statusOf(id)).toBe('active');
    await live(110);
    expect(await statusOf(id)).toBe('disabled');
  });

  it('keys of a deleted workspace, of one without a policy, and of the next tenant of an id are left alone', async () => {
    await setPolicy(null, 'none');
    const elsewhere = await createKeyOn(first, { workspaceId: 'none' });
    const former = await createKey();
    await live(31);
    await first.call('DELETE', '/v1/workspaces/w');
    await live(61);
    const entries = await auditOf(first, former.id, 'w');
    expect(
      entries.filter((entry: { actor: { id: string } }) => entry.actor.id === 'idle-policy'),
    ).toEqual([]);
    await putWorkspace(first, 'w', { idlePolicy: POLICY });
    const { id } = await createKey();
    await live(70);
    expect(await statusOf(id)).toBe('active');
    await live(200);
    expect(await statusOf(id)).toBe('active');
    expect(await statusOf(elsewhere.id)).toBe('active');
  });

  it('two instances at work at once disable each key once', async () => {
    const keys = Array.from({ length: 120 }, (_, i) => ({
      name: `key ${i}`,
      hash: { algorithm: 'sha256', value: i.toString(16).padStart(64, '0') },
    }));
    await first.call('POST', '/v1/keys/import', { body: { workspaceId: 'w', keys } });
    await live(31);
    const ids = [...(await statuses()).keys()];
    expect(ids).toHaveLength(120);
    goTo(60);
    await Promise.all([first, second].map(({ service }) => service.internals.idlePolicy.run()));
    await apply();
    const sql = await connect(database.url);
    const { rows } = await sql.query(
      `select target_id as id, count(*)::int as entries from audit_events
        where actor_id = 'idle-policy' group by 1 order by 1`,
    );
    expect(rows).toEqual(ids.sort().map((id) => ({ id, entries: 1 })));
  });

  it('a workspace whose log is full still has its idle keys disabled and revoked', async () => {
    const { id } = await createKey();
    await live(31);
    await first.call('PATCH', '/v1/workspaces/w', { body: { maxAuditEvents: 1 } });
    await live(60);
    expect(await statusOf(id)).toBe('disabled');
    await live(90);
    expect(await statusOf(id)).toBe('revoked');
  });

  it('a policy that fails for one workspace is logged, keeps no other from its turn, and is tried again', async () => {
    await setPolicy(POLICY, 'a');
    const failing = await createKeyOn(first, { workspaceId: 'a' });
    const { id } = await createKey();
    await live(31);
    const sql = await connect(database.url);
    await sql.query(`
      create function refuse() returns trigger language plpgsql as $$ begin raise 'planted'; end $$;
      create trigger refuse before update on keys for each row
        when (new.workspace_id = 'a') execute function refuse()`);
    await live(60);
    expect([await statusOf(failing.id), await statusOf(id)]).toEqual(['active', 'disabled']);
    expect(first.logLines.filter((line) => line.includes('idle_policy.failed'))).toHaveLength(1);
    await sql.query('drop function refuse cascade');
    await apply();
    expect(await statusOf(failing.id)).toBe('disabled');
  });
});

describe('the dry run of an idle policy', () => {
  it('what the dry run says is what then happens, to each key and on each day', async () => {
    const keys = new Map<string, string>();
    for (const more of [{}, { enabled: false }, { expiresInSeconds: 40 * 86_400 }, {}, {}]) {
      const { id, key } = await createKey(more);
      keys.set(id, key);
    }
    const [, , , usedOnce = '', usedLate = ''] = keys.keys();
    const done: string[] = [];
    for (let day = 4; day <= 120; day += 4) {
      goTo(day);
      if (day === 20) await use(keys.get(usedOnce) ?? '');
      if (day === 88) await use(keys.get(usedLate) ?? '');
      await alert();
      const { data, asOf } = await dryRun();
      const due = data.flatMap(({ id, steps: [next] }) =>
        next && next.at <= asOf ? [`${id} ${next.step}`] : [],
      );
      const before = await statuses();
      await apply();
      const changed = [...(await statuses())].flatMap(([id, status]) =>
        status === before.get(id) ? [] : [`${id} ${status.replace(/d$/, '')}`],
      );
      expect({ day, changed: changed.sort() }).toEqual({ day, changed: due.sort() });
      done.push(...changed.map((text) => `${day} ${text.split(' ')[1]}`));
    }
    // The last one is presented in vain on day 88.
    expect(done.sort()).toEqual([
      ...['100 revoke', '112 revoke', '60 disable', '60 disable', '80 disable', '92 revoke'],
    ]);
  });

  it('each step is told in days before it comes, from the warning on', async () => {
    const { id } = await createKey();
    goTo(29);
    expect(await plannedDays(id)).toEqual([]);
    goTo(31);
    expect(await plannedDays(id)).toEqual([
      ['warn', 31],
      ['disable', 60],
      ['revoke', 90],
    ]);
    await alert();
    expect(await plannedDays(id)).toEqual([
      ['disable', 60],
      ['revoke', 90],
    ]);
    goTo(200);
    expect(await plannedDays(id)).toEqual([
      ['disable', 200],
      ['revoke', 210],
    ]);
  });

  it('a policy that is tried out counts as if it came into force now, and changes nothing', async () => {
    await setPolicy(null);
    const { id } = await createKey();
    goTo(100);
    await alert();
    expect(await plannedDays(id)).toEqual([]);
    const tried = { warnAfterDays: 20, disableAfterDays: 50, revokeAfterDays: 0, noticeDays: 7 };
    expect(await plannedDays(id, tried)).toEqual([['disable', 107]]);
    expect(await plannedDays(id, { revokeAfterDays: 150 })).toEqual([['revoke', 150]]);
    await apply();
    expect(await statusOf(id)).toBe('active');
    const { body } = await first.call('GET', '/v1/workspaces/w');
    expect(body.idlePolicy).toBeNull();
  });

  it('the dry run has every key once on pages of any size, those used longest ago first', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) {
      const { id, key } = await createKey();
      if (i < 4) {
        await use(key);
        ids.push(id);
      }
      goTo(i + 1);
    }
    goTo(60);
    const all = (await dryRun()).data.map(({ id }) => id);
    expect(all).toHaveLength(7);
    expect(all.slice(0, 4)).toEqual(ids);
    for (const limit of [1, 2, 3, 4, 6]) {
      expect((await dryRun({}, limit)).data.map(({ id }) => id)).toEqual(all);
    }
  });

  it('a policy whose steps follow each other sooner than the notice is refused by the dry run', async () => {
    for (const [query, field] of [
      ['disableAfterDays=35', 'disableAfterDays'],
      ['revokeAfterDays=65', 'revokeAfterDays'],
      ['warnAfterDays=0', 'disableAfterDays'],
    ]) {
      const answer = await first.call('GET', `/v1/reports/idle-keys?workspaceId=w&${query}`);
      expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer: `/query/${field}` });
    }
  });

  it('a bound caller sees the dry run of its own workspace alone, with the permission to read keys', async () => {
    await createKey();
    await putWorkspace(first, 'other');
    goTo(50);
    const reader = await createManagementKey(first, {
      permissions: ['keys:read'],
      workspaceId: 'w',
    });
    const own = await first.call('GET', '/v1/reports/idle-keys', { as: reader.key });
    expect(own.body.data).toHaveLength(1);
    const url = '/v1/reports/idle-keys?workspaceId=other';
    expectProblem(await first.call('GET', url, { as: reader.key }), NOT_FOUND);
    const blind = await createManagementKey(first, { permissions: ['keys:verify'] });
    const refused = await first.call('GET', '/v1/reports/idle-keys', { as: blind.key });
    expectProblem(refused, { status: 403, code: 'FORBIDDEN' });
  });
});
