import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  makeKey,
  ROOT_KEY,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';
import { BROWSER, openBrowser } from './browser.ts';
import { expectAccessible, openPerson, type Person, settled, signIn } from './console.ts';

const PAGES = [
  'keys',
  'keys/new',
  'keys/import',
  'keys?workspaceId=*',
  'keys?view=revoked',
  'usage',
  'alerts',
  'hygiene',
  'audit',
  'workspaces',
  'workspaces/default',
  'management-keys',
  'webhooks',
  'try',
];
/** All places in which a page could keep something. */
const EVERYWHERE = `[document.documentElement.outerHTML, document.title, location.href, document.cookie,
  JSON.stringify({ ...localStorage, ...sessionStorage }), JSON.stringify(history.state)].join(' ')`;
const KEY = /ak_live_[0-9A-Za-z]{65}/;

describe.runIf(BROWSER !== '')('the console', { timeout: 120_000 }, () => {
  let program: SharedProgram;
  let browser: Browser;
  let ada: Person;

  beforeAll(async () => {
    program = await startSharedProgram();
    browser = await openBrowser();
    ada = await openPerson(browser);
    await signIn(ada, program.url);
  });
  afterAll(async () => {
    await browser.close();
    await program.end();
  });

  it('a newcomer who opens the console creates and copies a key within a minute, by mouse', async () => {
    const started = performance.now();
    const { page } = ada;
    await page.getByRole('link', { name: 'Create key' }).first().click();
    await page.getByLabel('Name').fill('made by mouse');
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    expect(performance.now() - started).toBeLessThan(60_000);
    const copied = String(await page.evaluate('navigator.clipboard.readText()'));
    expect(copied).toMatch(KEY);
    await page.getByRole('button', { name: 'Done' }).click();
    await page.waitForURL(/\/console\/keys\/key_/);
    const stored = String(await page.evaluate(EVERYWHERE));
    expect(stored).not.toContain(copied.split('_').at(-1)?.slice(0, 40));
    expect(stored).not.toContain(ROOT_KEY);
  });

  it('a key is created, found and selected by keyboard alone, and its dialog does not close before it is stored', async () => {
    const { page } = ada;
    await page.goto(`${program.url}/console/keys`);
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'Create a key' }).waitFor();
    await page.keyboard.type('made by keyboard');
    await page.keyboard.press('Enter');
    await page.getByText('Copy the key now').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    expect(await page.getByText('Copy the key now').isVisible()).toBe(true);
    await page.getByLabel('I have stored it').focus();
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/console\/keys\/key_/);
    await page.goto(`${program.url}/console/keys`);
    await page.getByRole('link', { name: 'made by keyboard' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('keyboard');
    await page.waitForURL(/search=keyboard/);
    await expect.poll(() => page.locator('tbody tr').count()).toBe(1);
    await page.goBack();
  });

  it('keys that are selected are revoked together after their preview, and leave the view of active ones', async () => {
    const { page } = ada;
    for (const name of ['bulk one', 'bulk two']) await makeKey(program.root, { name });
    await page.goto(`${program.url}/console/keys?search=bulk`);
    await page.getByLabel('Select all on this page').check();
    await page.getByRole('button', { name: 'Revoke…' }).click();
    await page.getByText('2 keys would be revoked').waitFor();
    await page.getByLabel('Reason').fill('test');
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('No key matches').waitFor();
    await page.getByRole('link', { name: 'Revoked' }).click();
    await expect.poll(() => page.locator('tbody tr').count()).toBe(2);
  });

  it('what is wrong with a field is said beside it, and nothing that was typed is lost', async () => {
    const { page } = ada;
    await page.goto(`${program.url}/console/keys/new`);
    await page.getByLabel('Name').fill('bad scopes');
    await page.getByLabel('Scopes').fill('orders:read not/a/scope');
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.getByText('Nothing was created').waitFor();
    expect(await page.getByLabel('Scopes').getAttribute('aria-invalid')).toBe('true');
    expect(await page.getByLabel('Name').inputValue()).toBe('bad scopes');
  });

  it('a creation whose answer is lost makes no second key when it is repeated, and says that its string is lost', async () => {
    const { page } = ada;
    await page.goto(`${program.url}/console/keys/new`);
    await page.getByLabel('Name').fill('answered too late');
    await page.route('**/console/api/v1/keys', async (route) => {
      await route.fetch();
      await route.abort();
    });
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.getByText('Keyward was not reached').waitFor();
    await page.unroute('**/console/api/v1/keys');
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.getByText('the new string is lost').waitFor();
    await page.getByRole('button', { name: 'To the key' }).click();
    await page.getByRole('heading', { name: 'answered too late' }).waitFor();
    const { data } = await program.root.GET('/v1/keys', {
      params: { query: { search: 'answered too late' } },
    });
    expect(data?.data).toHaveLength(1);
  });

  it('policies that somebody else has changed meanwhile are not overwritten, and what was typed is kept', async () => {
    const { page } = ada;
    const path = { params: { path: { id: 'shared' } } };
    await program.root.PUT('/v1/workspaces/{id}', { ...path, body: { name: 'Shared' } });
    await page.goto(`${program.url}/console/workspaces/shared`);
    await page.getByLabel('Active keys at most').fill('7');
    await program.root.PATCH('/v1/workspaces/{id}', { ...path, body: { name: 'Theirs' } });
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('has changed meanwhile').waitFor();
    await page.getByRole('heading', { name: 'Theirs' }).waitFor();
    expect(await page.getByLabel('Active keys at most').inputValue()).toBe('7');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    const { data } = await program.root.GET('/v1/workspaces/{id}', path);
    expect(data).toMatchObject({ name: 'Theirs', maxActiveKeys: 7 });
  });

  it('a session that ends in the middle of a form asks to sign in again, and keeps what was typed', async () => {
    const person = await openPerson(browser);
    const { data: made } = await program.root.POST('/v1/management-keys', {
      body: { name: 'for a while', permissions: ['keys:read', 'keys:write'], workspaceId: null },
    });
    await signIn(person, program.url, { key: String(made?.key), path: '/console/keys/new' });
    const { page } = person;
    await page.getByLabel('Name').fill('typed before the end');
    await program.root.POST('/v1/management-keys/{id}/revoke', {
      params: { path: { id: String(made?.id) } },
      body: {},
    });
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.getByText('Your session has ended').waitFor();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Management key').fill(ROOT_KEY);
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByLabel('Name').inputValue()).toBe('typed before the end');
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.getByText('Copy the key now').waitFor();
    await person.context.close();
  });

  it('a reader is offered nothing that its management key may not do', async () => {
    const person = await openPerson(browser);
    const { data } = await program.root.POST('/v1/management-keys', {
      body: { name: 'reader', permissions: ['keys:read'], workspaceId: 'default' },
    });
    await signIn(person, program.url, { key: String(data?.key) });
    const { page } = person;
    const links = await page
      .getByRole('navigation', { name: 'Main' })
      .getByRole('link')
      .allInnerTexts();
    expect(links.map((text) => text.trim())).toEqual(['Keyward', 'Keys', 'Hygiene']);
    expect(await page.getByText('Create key').count()).toBe(0);
    expect(await page.getByRole('checkbox').count()).toBe(0);
    await person.context.close();
  });

  it('text of others is shown as text: no markup of theirs becomes part of a page', async () => {
    const evil = '<img src=x onerror="document.body.dataset.evil=1"><b class=evil>';
    const { id } = await makeKey(program.root, {
      name: evil,
      description: evil,
      ownerId: evil,
      metadata: { note: evil },
    });
    await program.root.PUT('/v1/workspaces/{id}', {
      params: { path: { id: 'evil' } },
      body: { name: evil, availableScopes: [{ scope: 'a:b', title: evil, description: evil }] },
    });
    await program.root.POST('/v1/keys/{id}/revoke', {
      params: { path: { id } },
      body: { reason: evil.slice(0, 64), note: evil },
    });
    const { page } = ada;
    for (const path of [
      'keys?view=all',
      `keys/${id}`,
      'audit',
      'workspaces',
      'workspaces/evil',
      'keys/new?workspaceId=evil',
      `keys?search=${encodeURIComponent(evil)}`,
    ]) {
      await page.goto(`${program.url}/console/${path}`);
      await settled(page);
      expect([path, await page.locator('.evil').count()]).toEqual([path, 0]);
    }
    expect(await page.evaluate('document.body.dataset.evil')).toBeUndefined();
  });

  it('after a sign-out the back button shows nothing of the pages before', async () => {
    const person = await openPerson(browser);
    await signIn(person, program.url);
    await person.page.getByRole('button', { name: 'sign out' }).click();
    await person.page.getByLabel('Management key').waitFor();
    await person.page.goBack();
    await person.page.getByLabel('Management key').waitFor();
    expect(await person.page.locator('tbody tr').count()).toBe(0);
    await person.context.close();
  });

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 360],
    ['dark', 360],
  ] as const)(
    'no page has a finding of axe or overflows, %s at %d px',
    async (colorScheme, width) => {
      const person = await openPerson(browser, { colorScheme, width });
      await signIn(person, program.url);
      const { id, key } = await makeKey(program.root, {
        name: 'looked at',
        scopes: ['orders:read', 'orders:write'],
      });
      // So that the usage page has something to show.
      await program.root.POST('/v1/verify', { body: { key } });
      for (const path of [...PAGES, `keys/${id}`]) {
        await person.page.goto(`${program.url}/console/${path}`);
        await person.page.locator('main h1').first().waitFor();
        await expectAccessible(person.page);
      }
      await person.context.close();
    },
  );

  it('the console asks no other host, and raises no error', () => {
    expect([...ada.hosts]).toEqual([new URL(program.url).host]);
    expect(ada.complaints).toEqual([]);
  });
});
