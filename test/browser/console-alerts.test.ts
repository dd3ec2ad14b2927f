import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Permission } from '../../src/console/page/api-types.ts';
import { ALERT_TYPES } from '../../src/domain/alert-types.ts';
import {
  at,
  makeKey,
  makeWorkspace,
  ok,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';
import { BROWSER, openBrowser } from './browser.ts';
import { expectAccessible, openPerson, type Person, settled, signIn } from './console.ts';

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();

/** Each type with what an alert of it says. */
const SAID: Record<string, readonly [details: object, words: RegExp]> = {
  key_expiring: [{ expiresAt: inDays(6), days: 7 }, /It expires on .*set another expiry/],
  key_expired: [{ expiresAt: inDays(-1) }, /It expired on/],
  rotation_due: [{ issuedAt: inDays(-400), rotationDueDays: 365 }, /more than 365 days ago/],
  key_unused: [{ lastUsedAt: inDays(-95), warnAfterDays: 90 }, /Nobody has used it since/],
  ended_string_used: [{ endedBy: 'rotation', lastPresentedAt: inDays(0) }, /still presented/],
  usage_unusual: [{ hour: inDays(0), verifications: 900, unusualAbove: 150.5 }, /more than 150/],
  limited_often: [{ hours: 7, limited: 1200, until: inDays(0) }, /in 7 hours of the day/],
  credits_low: [{ remaining: 1, threshold: 100 }, /It had 1 credit left/],
  credits_exhausted: [{ remaining: 0 }, /no credits left/],
};

describe.runIf(BROWSER !== '')('alerts on the console', { timeout: 120_000 }, () => {
  let program: SharedProgram;
  let browser: Browser;
  let ada: Person;
  let page: Page;

  beforeAll(async () => {
    program = await startSharedProgram({ KEYWARD_LEAK_REPORTS: 'on' });
    // Alerts are opened by the tests: to the job, each look is one that another instance has.
    await run(
      `insert into alert_checks (type, begun_at, held_until)
       select type, now(), now() + interval '1 day' from unnest($1::text[]) type`,
      [ALERT_TYPES],
    );
    browser = await openBrowser();
    ada = await openPerson(browser);
    page = ada.page;
    await signIn(ada, program.url);
  });
  afterAll(async () => {
    await browser.close();
    await program.end();
  });

  const run = async (statement: string, values: unknown[]) => {
    const client = new pg.Client({ connectionString: program.databaseUrl });
    await client.connect();
    await client.query(statement, values).finally(() => client.end());
  };
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const open = async (path: string) => {
    await page.goto(`${program.url}/console/${path}`);
    await settled(page);
  };
  const rows = () => page.locator('tbody tr');
  const inNavigation = () =>
    page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Alerts' });
  const signedInAs = async (permissions: Permission[], workspaceId: string, path: string) => {
    const body = { name: 'limited', permissions, workspaceId };
    const { key } = await ok(program.root.POST('/v1/management-keys', { body }));
    const person = await openPerson(browser);
    await signIn(person, program.url, { key: String(key), path });
    await settled(person.page);
    return person;
  };
  /** As the job opens one, for which days would have to pass. */
  const openAlert = async (target: string, workspaceId: string, type: string, details = {}) => {
    await run(
      `insert into alerts (id, workspace_id, type, target_type, target_id, cause, details, opened_at)
       values ('alert_' || substr(md5($2 || $3), 1, 22), $1, $2, 'key', $3, 'test', $4, now())`,
      [workspaceId, type, target, JSON.stringify(details)],
    );
  };
  const unusedKey = async (workspaceId: string) => {
    const { id } = await makeKey(program.root, { name: 'forgotten', workspaceId });
    await run(
      `update keys set created_at = now() - interval '200 days', updated_at = now() - interval '200 days' where id = $1`,
      [id],
    );
    return id;
  };

  it('a leak that was reported is an alert which says where, leads to the key, and ends with an acknowledgement and its note', async () => {
    const workspaceId = await makeWorkspace(program.root);
    const { id, key } = await makeKey(program.root, { name: 'leaked one', workspaceId });
    await program.root.POST('/v1/leaks', {
      body: { keys: [{ key, url: 'https://example.com/paste/1' }] },
    });
    const alerts = { params: { query: { workspaceId } } };
    await expect
      .poll(async () => (await ok(program.root.GET('/v1/alerts', alerts))).data.length)
      .toBe(1);
    await open(`alerts?workspaceId=${workspaceId}`);
    await expect.poll(() => inNavigation().innerText()).toMatch(/^Alerts\s*1/);
    await page.getByText('Its string was found at https://example.com/paste/1').waitFor();
    await page.getByText('It was revoked.').waitFor();
    expect(await page.content()).not.toContain(key);
    expect(await page.getByRole('link', { name: 'leaked one' }).getAttribute('href')).toContain(id);
    await page.getByRole('button', { name: 'Acknowledge: Leaked' }).click();
    await page.getByLabel('Note').fill('The customer was told.');
    await expectAccessible(page);
    await button('Acknowledge').click();
    await page.getByText('The alert was acknowledged.').waitFor();
    await page.getByText('Nothing to worry about').waitFor();
    await expect.poll(() => inNavigation().innerText()).toBe('Alerts');
    await page.getByRole('link', { name: 'Ended' }).click();
    await page.getByText('by ada@example.com').waitFor();
    await page.getByText('“The customer was told.”').waitFor();
    await page.getByRole('link', { name: 'leaked one' }).click();
    await page.getByRole('heading', { name: 'leaked one' }).waitFor();
    await page.getByRole('heading', { name: 'Alerts' }).waitFor();
    await page.getByText('Alert acknowledged').waitFor();
  });

  it('every type of alert of a key is told in plain words', async () => {
    const workspaceId = await makeWorkspace(program.root);
    const { id } = await makeKey(program.root, { name: 'many alerts', workspaceId });
    for (const [type, [details]] of Object.entries(SAID)) {
      await openAlert(id, workspaceId, type, details);
    }
    await open(`alerts?workspaceId=${workspaceId}`);
    const texts = await rows().allInnerTexts();
    for (const [type, [, words]] of Object.entries(SAID)) {
      expect([type, texts.filter((text) => words.test(text.replaceAll('\n', ' '))).length]).toEqual(
        [type, 1],
      );
    }
  });

  it('alerts are filtered by state, type, acknowledgement and target, and the address says so', async () => {
    const workspaceId = await makeWorkspace(program.root);
    const one = await makeKey(program.root, { name: 'one', workspaceId });
    const two = await makeKey(program.root, { name: 'two', workspaceId });
    await openAlert(one.id, workspaceId, 'credits_low', { remaining: 3, threshold: 100 });
    await openAlert(one.id, workspaceId, 'key_unused', { warnAfterDays: 90 });
    await openAlert(two.id, workspaceId, 'key_unused', { warnAfterDays: 90 });
    const { data } = await ok(
      program.root.GET('/v1/alerts', { params: { query: { workspaceId, targetId: two.id } } }),
    );
    await ok(
      program.root.POST('/v1/alerts/{id}/acknowledge', { ...at(data[0]?.id ?? ''), body: {} }),
    );
    await open(`alerts?workspaceId=${workspaceId}`);
    await expect.poll(() => rows().count()).toBe(3);
    await page.getByLabel('Type').selectOption('Key unused');
    await expect.poll(() => rows().count()).toBe(2);
    await page.getByLabel('Acknowledgement').selectOption('Acknowledged');
    await expect.poll(() => rows().count()).toBe(1);
    expect(page.url()).toMatch(/type=key_unused.*acknowledged=true/);
    await page.goBack();
    await expect.poll(() => rows().count()).toBe(2);
    await page.getByRole('link', { name: 'Not acknowledged', exact: true }).click();
    await expect.poll(() => rows().count()).toBe(1);
    await page.getByRole('link', { name: 'All', exact: true }).click();
    await page.getByLabel('Type').selectOption('Every type');
    await page.getByLabel('About').fill(one.id);
    await page.keyboard.press('Enter');
    await expect.poll(() => rows().count()).toBe(2);
    await page.getByRole('link', { name: 'Ended' }).click();
    await page.getByText('No alert matches').waitFor();
    await open('alerts?workspaceId=*&type=key_unused');
    await page.getByRole('cell', { name: workspaceId, exact: true }).first().waitFor();
  });

  it('what is typed into a filter stays when the list arrives meanwhile', async () => {
    const workspaceId = await makeWorkspace(program.root);
    await open(`alerts?workspaceId=${workspaceId}`);
    const typed = Promise.withResolvers<void>();
    await page.route('**/console/api/v1/alerts?*', async (route) => {
      await typed.promise;
      await route.continue();
    });
    await page.getByLabel('Type').selectOption('Key unused');
    await page.getByLabel('About').pressSequentially('key_');
    const arrived = page.waitForResponse(/v1\/alerts.*type=key_unused/);
    typed.resolve();
    await arrived;
    await settled(page);
    await page.unroute('**/console/api/v1/alerts?*');
    expect(await page.getByLabel('About').inputValue()).toBe('key_');
  });

  it('the page of a key shows its alerts alone, and they are acknowledged there', async () => {
    const workspaceId = await makeWorkspace(program.root);
    const { id } = await makeKey(program.root, { name: 'runs low', workspaceId });
    const other = await makeKey(program.root, { name: 'another', workspaceId });
    await openAlert(id, workspaceId, 'credits_low', { remaining: 3, threshold: 100 });
    await openAlert(other.id, workspaceId, 'key_unused', { warnAfterDays: 90 });
    await open(`keys/${id}?workspaceId=${workspaceId}`);
    const section = page.getByRole('region', { name: 'Alerts' });
    await section.getByText('It had 3 credits left').waitFor();
    expect(await section.getByRole('listitem').count()).toBe(1);
    await section.getByRole('button', { name: 'Acknowledge' }).click();
    await button('Acknowledge').click();
    await section.getByText('Acknowledged by ada@example.com').waitFor();
    await expectAccessible(page);
    await expect.poll(() => inNavigation().innerText()).toMatch(/^Alerts\s*1/);
  });

  it('who may only read alerts acknowledges none, and who may not read them sees nothing of them', async () => {
    const workspaceId = await makeWorkspace(program.root);
    const { id } = await makeKey(program.root, { name: 'watched', workspaceId });
    await openAlert(id, workspaceId, 'key_unused', { warnAfterDays: 90 });
    const reader = await signedInAs(['alerts:read'], workspaceId, '/console/alerts');
    await reader.page.getByText('not yet').waitFor();
    expect(await reader.page.getByRole('button', { name: 'Acknowledge' }).count()).toBe(0);
    expect(await reader.page.getByRole('link', { name: id }).count()).toBe(0);
    await reader.page.getByText(id).first().waitFor();
    await reader.context.close();
    const others = await signedInAs(['keys:read'], workspaceId, `/console/keys/${id}`);
    expect(await others.page.getByText('Alerts').count()).toBe(0);
    await others.context.close();
  });

  it('what an idle policy would do is listed for the values in the form, and nothing is changed', async () => {
    const workspaceId = await makeWorkspace(program.root);
    const id = await unusedKey(workspaceId);
    await open(`workspaces/${workspaceId}`);
    await button('What would happen?').click();
    await page.getByText('1 key would get an alert, unless somebody uses them before.').waitFor();
    await page.getByLabel('Disable after days without use').fill('120');
    expect(await page.getByText('would get an alert').count()).toBe(0);
    await page.getByLabel('Revoke after days without use').fill('180');
    await button('What would happen?').click();
    await page.getByText('1 key would be disabled, 1 key would be revoked').waitFor();
    const row = page.getByRole('row', { name: 'forgotten' });
    expect(await row.innerText()).toMatch(/Alert now\s+Disabled on .*\s+Revoked on/);
    await expectAccessible(page);
    await ok(program.root.POST('/v1/workspaces/{id}/suspend', at(workspaceId)));
    await button('What would happen?').click();
    await page.getByText('Nothing of a suspended workspace is disabled or revoked').waitFor();
    await page.getByLabel('Disable after days without use').fill('95');
    await button('What would happen?').click();
    await page.getByText('Disable after days without use: must be at least noticeDays').waitFor();
    const [key, workspace] = await Promise.all([
      ok(program.root.GET('/v1/keys/{id}', at(id))),
      ok(program.root.GET('/v1/workspaces/{id}', at(workspaceId))),
    ]);
    expect(key.enabled).toBe(true);
    expect(workspace.idlePolicy).toBeNull();
  });

  it('an idle policy, thresholds and the response to leaks are saved; what is left as it was stays the default', async () => {
    const workspaceId = await makeWorkspace(program.root);
    const read = () => ok(program.root.GET('/v1/workspaces/{id}', at(workspaceId)));
    await open(`workspaces/${workspaceId}`);
    await page.getByLabel('Disable after days without use').fill('95');
    await button('Save').click();
    const field = page.getByLabel('Disable after days without use');
    await expect.poll(() => field.getAttribute('aria-invalid')).toBe('true');
    await field.fill('120');
    await page.getByLabel('When a key is reported as leaked').selectOption('rotate');
    await button('Save').click();
    await page.getByText('Saved.').waitFor();
    expect(await read()).toMatchObject({
      leakResponse: 'rotate',
      alertThresholds: null,
      idlePolicy: {
        warnAfterDays: 90,
        disableAfterDays: 120,
        revokeAfterDays: null,
        noticeDays: 14,
      },
    });
    await page.getByLabel('Days before an expiry').fill('60, 10');
    await page.getByLabel('Unusual: times as much as ever').fill('');
    await field.fill('');
    await ok(
      program.root.PATCH('/v1/workspaces/{id}', {
        ...at(workspaceId),
        body: { name: 'Named meanwhile' },
      }),
    );
    await button('Save').click();
    await page.getByText('has changed meanwhile').waitFor();
    await page.getByRole('heading', { name: 'Named meanwhile' }).waitFor();
    await button('Save').click();
    await expect.poll(async () => (await read()).idlePolicy).toBeNull();
    const { name, alertThresholds } = await read();
    expect(name).toBe('Named meanwhile');
    expect(alertThresholds).toMatchObject({
      expiringDays: [60, 10],
      unusualFactor: null,
      limitedHours: 6,
    });
  });

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 360],
    ['dark', 360],
  ] as const)(
    'pages with alerts have no finding of axe and do not overflow, %s at %d px',
    async (colorScheme, width) => {
      const workspaceId = await makeWorkspace(program.root);
      const { id } = await makeKey(program.root, { name: 'seen', workspaceId });
      for (const [type, [details]] of Object.entries(SAID)) {
        await openAlert(id, workspaceId, type, details);
      }
      await unusedKey(workspaceId);
      const person = await openPerson(browser, { colorScheme, width });
      await signIn(person, program.url);
      for (const path of [`alerts?workspaceId=${workspaceId}`, `keys/${id}`]) {
        await person.page.goto(`${program.url}/console/${path}`);
        await expectAccessible(person.page);
      }
      await person.page.goto(`${program.url}/console/workspaces/${workspaceId}`);
      await person.page.getByRole('button', { name: 'What would happen?' }).click();
      await person.page.getByText('would get an alert').waitFor();
      await expectAccessible(person.page);
      await person.context.close();
    },
  );

  it('the pages of alerts ask no other host, and raise no error', () => {
    expect([...ada.hosts]).toEqual([new URL(program.url).host]);
    expect(ada.complaints).toEqual([]);
  });
});
