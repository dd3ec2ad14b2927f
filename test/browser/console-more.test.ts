import { createHash } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  at,
  makeKey,
  makeWorkspace,
  ok,
  ROOT_KEY,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';
import { BROWSER, openBrowser } from './browser.ts';
import { expectAccessible, openPerson, type Person, settled, signIn } from './console.ts';

describe.runIf(BROWSER !== '')('what people do on the console', { timeout: 120_000 }, () => {
  let program: SharedProgram;
  let browser: Browser;
  let ada: Person;
  let page: Page;

  beforeAll(async () => {
    program = await startSharedProgram();
    browser = await openBrowser();
    ada = await openPerson(browser);
    page = ada.page;
    await signIn(ada, program.url);
  });
  afterAll(async () => {
    await browser.close();
    await program.end();
  });

  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const open = (path: string) => page.goto(`${program.url}/console/${path}`);
  const focused = () => page.evaluate('document.activeElement.textContent.trim()');
  /** Uses are shown about two seconds after they were answered. */
  const untilCounted = (id: string) =>
    expect
      .poll(async () => (await ok(program.root.GET('/v1/keys/{id}', at(id)))).usage.total)
      .toBeGreaterThan(0);
  const managementKey = (name: string) =>
    ok(
      program.root.POST('/v1/management-keys', {
        body: {
          name,
          permissions: ['keys:read', 'keys:write', 'usage:read'],
          workspaceId: 'default',
        },
      }),
    );

  it('the back and forward buttons do not take a new key away before it is stored', async () => {
    await open('keys');
    await page.getByRole('link', { name: 'Create key' }).first().click();
    await page.getByLabel('Name').fill('held');
    await button('Create key').click();
    const shown = await page.getByTestId('one-time-key').innerText();
    await page.evaluate('history.back()');
    await page.getByText('it would be lost').waitFor();
    await expect.poll(() => page.url()).toContain('/console/keys/new');
    await expectAccessible(page);
    await page.evaluate('history.go(-1)');
    await expect.poll(() => page.url()).toContain('/console/keys/new');
    expect(await page.getByTestId('one-time-key').innerText()).toBe(shown);
    await page.getByLabel('I have stored it').check();
    await button('Done').click();
    await page.getByRole('heading', { name: 'held' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
    await page.goForward();
    await page.getByRole('heading', { name: 'held' }).waitFor();
  });

  it('a key that is opened from the list has the focus on its heading', async () => {
    await makeKey(program.root, { name: 'focus me' });
    await open('keys?search=focus');
    await page.getByRole('link', { name: 'focus me' }).click();
    await page.getByRole('heading', { name: 'focus me' }).waitFor();
    await expect.poll(focused).toBe('focus me');
  });

  it('shortcuts are listed by a question mark, and do nothing once they are switched off', async () => {
    await open('keys');
    await settled(page);
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
    await expectAccessible(page);
    await page.getByLabel('Single characters are shortcuts').uncheck();
    await button('Close').click();
    await page.reload();
    await settled(page);
    for (const key of ['n', '?', '/']) await page.keyboard.press(key);
    expect(page.url()).toMatch(/\/console\/keys$/);
    expect(await page.getByRole('dialog').count()).toBe(0);
    await button('shortcuts').click();
    await page.getByLabel('Single characters are shortcuts').check();
    await page.keyboard.press('Escape');
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'Create a key' }).waitFor();
  });

  it('a management key is changed in its name, permissions, expiry and rate', async () => {
    const { id } = await managementKey('to change');
    await open('management-keys');
    await button('Edit to change').click();
    await page.getByLabel('Name').fill('changed');
    await page.getByLabel('keys:write').uncheck();
    await page.getByLabel('Expires').fill('2031-05-06T07:08');
    await page.getByLabel('Calls a second at most').fill('25');
    await expectAccessible(page);
    await button('Save').click();
    await page.getByText('The management key was changed.').waitFor();
    const key = await ok(program.root.GET('/v1/management-keys/{id}', at(id)));
    expect(key).toMatchObject({
      name: 'changed',
      permissions: ['keys:read', 'usage:read'],
      maxRequestsPerSecond: 25,
    });
    expect(key.expiresAt).toMatch(/^2031-05-0/);
    await button('Edit changed').click();
    await page.getByLabel('Expires').fill('');
    await page.getByLabel('Calls a second at most').fill('-1');
    await button('Save').click();
    await page.getByText('Nothing was changed: 1 field to correct.').waitFor();
    expect(await page.getByLabel('Calls a second at most').getAttribute('aria-invalid')).toBe(
      'true',
    );
    await page.keyboard.press('Escape');
  });

  it('a management key that somebody else has changed meanwhile is not overwritten, and what was typed is kept', async () => {
    const { id } = await managementKey('shared');
    await open('management-keys');
    await button('Edit shared').click();
    await page.getByLabel('Name').fill('mine');
    await ok(
      program.root.PATCH('/v1/management-keys/{id}', {
        ...at(id),
        headers: { 'Keyward-Actor': 'bob@example.com' },
        body: { name: 'theirs', permissions: ['keys:read'] },
      }),
    );
    await button('Save').click();
    await page.getByText('bob@example.com changed this management key').waitFor();
    expect(await page.getByLabel('Name').inputValue()).toBe('mine');
    await expectAccessible(page);
    await button('Save again').click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    const key = await ok(program.root.GET('/v1/management-keys/{id}', at(id)));
    expect(key).toMatchObject({ name: 'mine', permissions: ['keys:read'] });
  });

  it('a file of digests is imported: bad lines are shown before, and what became of each line after', async () => {
    const hash = (key: string) => ({
      algorithm: 'sha256',
      value: createHash('sha256').update(key).digest('hex'),
    });
    const lines = [
      { name: 'imported one', hash: hash('old-key-one'), start: 'old-' },
      { name: 'no digest', hash: { algorithm: 'sha256', value: 'x' } },
      { name: 'imported twice', hash: hash('old-key-one') },
      { name: 'bad scope', hash: hash('old-key-two'), scopes: ['not/a/scope'] },
    ];
    const buffer = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await open('keys');
    await page.getByRole('link', { name: 'Import', exact: true }).click();
    await page
      .getByLabel('File')
      .setInputFiles({ name: 'keys.jsonl', mimeType: 'application/jsonl', buffer });
    await page.getByText('1 line left out').waitFor();
    await page.getByText('its hash value is no sha256 digest').waitFor();
    await expectAccessible(page);
    await button('Import 3 keys').click();
    await page.getByText('1 key created, 1 known already, 1 refused').first().waitFor();
    await expectAccessible(page);
    await page.getByRole('link', { name: 'imported one' }).click();
    await page.getByRole('heading', { name: 'imported one' }).waitFor();
    const { code } = await ok(program.root.POST('/v1/verify', { body: { key: 'old-key-one' } }));
    expect(code).toBe('VALID');
  });

  it('an import whose answer is lost goes on where it was, and imports nothing twice', async () => {
    const csv = Array.from({ length: 700 }, (_, index) => {
      const digest = createHash('sha256').update(`many-${index}`).digest('hex');
      return `many ${index},sha256,${digest}`;
    });
    await open('keys/import');
    await page
      .getByLabel('Or paste its lines')
      .fill(['name,hash_algorithm,hash_value', ...csv].join('\n'));
    let calls = 0;
    await page.route('**/console/api/v1/keys/import', async (route) => {
      calls++;
      if (calls === 2) {
        await route.fetch();
        await route.abort();
      } else await route.continue();
    });
    await button('Import 700 keys').click();
    await page.getByText('Keyward was not reached').waitFor();
    await page.getByText('500 of 700 sent').waitFor();
    await button('Go on').click();
    await page.getByText('700 keys created').first().waitFor();
    await page.unroute('**/console/api/v1/keys/import');
    expect(calls).toBe(3);
  });

  it('an import that is not finished is not left by a link or the back button before its report was seen', async () => {
    await open('keys');
    await page.getByRole('link', { name: 'Import', exact: true }).click();
    const hash = (of: string) => createHash('sha256').update(of).digest('base64');
    const entries = Array.from({ length: 501 }, (_, index) => ({
      name: `entry ${index}`,
      hash: { algorithm: 'sha256', value: hash(`entry-${index}`) },
    }));
    await page.getByLabel('File').setInputFiles({
      name: 'keys.json',
      mimeType: 'application/json',
      buffer: Buffer.from(JSON.stringify({ keys: entries }, null, 2)),
    });
    await page.getByText('501 lines, all ready').waitFor();
    let calls = 0;
    await page.route('**/console/api/v1/keys/import', async (route) => {
      calls++;
      await (calls === 2 ? route.abort() : route.continue());
    });
    await button('Import 501 keys').click();
    await page.getByText('500 of 501 sent').waitFor();
    await page.getByRole('link', { name: 'Usage' }).click();
    await page.getByText('Finish the import first').waitFor();
    await page.evaluate('history.back()');
    await expect.poll(() => page.url()).toContain('/console/keys/import');
    await page.getByText('500 of 501 sent').waitFor();
    await button('Go on').click();
    await page.getByText('501 keys created').first().waitFor();
    await page.unroute('**/console/api/v1/keys/import');
    await page.getByRole('link', { name: 'To the keys' }).click();
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
  });

  it('the list of keys is filtered by owner, scope and last use, and its address says by which', async () => {
    const { id, key } = await makeKey(program.root, {
      name: 'filtered',
      ownerId: 'org_filter',
      scopes: ['filter:read'],
    });
    await ok(program.root.POST('/v1/verify', { body: { key } }));
    await untilCounted(id);
    await open('keys');
    const shown = () => page.locator('tbody .name').allInnerTexts();
    await page.getByLabel('Owner', { exact: true }).fill('org_filter');
    await page.keyboard.press('Enter');
    await expect.poll(shown).toEqual(['filtered']);
    await page.getByLabel('Scope', { exact: true }).fill('filter:read');
    await page.keyboard.press('Enter');
    await page.getByLabel('Last used').selectOption('Used in the last 7 days');
    await expect.poll(() => page.url()).toContain('used=last-7-days');
    await page.reload();
    await expect.poll(shown).toEqual(['filtered']);
    await page.getByLabel('Last used').selectOption('Not used for 30 days');
    await page.getByText('No key matches').waitFor();
  });

  it('lists across all workspaces say of which one each line is, and what is made asks for one', async () => {
    const other = await makeWorkspace(program.root);
    const { id, key } = await makeKey(program.root, {
      name: 'far away',
      workspaceId: other,
      scopes: ['*'],
    });
    await ok(program.root.POST('/v1/verify', { body: { key } }));
    await untilCounted(id);
    for (const path of ['keys', 'audit', 'usage', 'hygiene']) {
      await open(`${path}?workspaceId=*${path === 'hygiene' ? '&section=all-scopes' : ''}`);
      await settled(page);
      await page.getByRole('columnheader', { name: 'Workspace' }).waitFor();
      await page.getByRole('cell', { name: other, exact: true }).first().waitFor();
      await expectAccessible(page);
    }
    await open('keys?workspaceId=*&search=far');
    await page.getByLabel('Select far away').check();
    await button('Revoke…').click();
    await page.getByText('1 key would be revoked').waitFor();
    await page.keyboard.press('Escape');
    await open('keys/new?workspaceId=*');
    await page.getByText('Choose a workspace').waitFor();
    await page.getByLabel('Workspace', { exact: true }).fill(other);
    await page.keyboard.press('Enter');
    await page.getByLabel('Name').waitFor();
  });

  it('a tab that stays open does nothing in the name of somebody else who signs in in another tab', async () => {
    const person = await openPerson(browser);
    await signIn(person, program.url, { path: '/console/keys/new', name: 'ada@example.com' });
    await person.page.getByLabel('Name').fill('by whom');
    const { key } = await managementKey('bob');
    const second = await person.context.newPage();
    const bob = { ...person, page: second };
    await second.goto(`${program.url}/console/keys`);
    await second.getByRole('button', { name: 'sign out' }).click();
    await second.getByLabel('Management key').waitFor();
    await signIn(bob, program.url, { key: String(key), name: 'bob@example.com' });
    await person.page.getByRole('button', { name: 'Create key' }).click();
    await person.page.getByText('Your session has ended').waitFor();
    const made = await ok(
      program.root.GET('/v1/keys', { params: { query: { search: 'by whom' } } }),
    );
    expect(made.data).toEqual([]);
    const dialog = person.page.getByRole('dialog');
    await dialog.getByLabel('Management key').fill(ROOT_KEY);
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    await person.page.getByRole('button', { name: 'Create key' }).click();
    await person.page.getByText('Copy the key now').waitFor();
    await second.getByRole('link', { name: 'Create key' }).first().click();
    await second.getByLabel('Name').fill('by bob');
    await second.getByRole('button', { name: 'Create key' }).click();
    await second.getByText('Your session has ended').waitFor();
    await person.context.close();
  });

  it('the list of keys asks for one page of them, however many there are, and for the use of those alone', async () => {
    for (let index = 0; index < 30; index++)
      await makeKey(program.root, { name: `one of ${index}` });
    const asked: URL[] = [];
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.pathname.startsWith('/console/api/v1/')) asked.push(url);
    });
    await open('keys');
    await expect.poll(() => page.locator('tbody tr').count()).toBe(25);
    await settled(page);
    const lists = asked.filter(({ pathname }) => pathname === '/console/api/v1/keys');
    expect(lists.map(({ searchParams }) => searchParams.get('limit'))).toEqual(['25']);
    const uses = asked.filter(({ pathname }) => pathname === '/console/api/v1/usage');
    expect(uses.map(({ searchParams }) => searchParams.getAll('keyId').length)).toEqual([25, 25]);
    // The others: the workspaces that can be chosen, and the alerts that are counted.
    expect(asked.length).toBeLessThanOrEqual(lists.length + uses.length + 2);
  });

  it('none of this asked another host, or raised an error', () => {
    expect([...ada.hosts]).toEqual([new URL(program.url).host]);
    expect(ada.complaints).toEqual([]);
  });
});
