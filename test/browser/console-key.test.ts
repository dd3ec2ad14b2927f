import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  at,
  makeKey,
  ok,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';
import { BROWSER, openBrowser } from './browser.ts';
import { expectAccessible, openPerson, type Person, signIn } from './console.ts';

describe.runIf(BROWSER !== '')('the page of a key', { timeout: 120_000 }, () => {
  let program: SharedProgram;
  let browser: Browser;
  let ada: Person;
  let page: Page;
  let key: { id: string; key: string };

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
  beforeEach(async () => {
    key = await makeKey(program.root, {
      name: 'looked at',
      scopes: ['orders:read'],
      ownerId: 'org_1',
    });
    await page.goto(`${program.url}/console/keys/${key.id}`);
    await page.getByRole('heading', { name: 'looked at' }).waitFor();
  });

  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const read = () => ok(program.root.GET('/v1/keys/{id}', at(key.id)));
  const closed = () => page.getByRole('dialog').waitFor({ state: 'detached' });

  it('what somebody else has changed meanwhile is shown beside what was typed, and nothing is overwritten', async () => {
    await button('Edit…').click();
    await page.getByLabel('Owner', { exact: true }).fill('org_mine');
    await page.getByLabel('Description', { exact: true }).fill('typed by ada');
    await ok(
      program.root.PATCH('/v1/keys/{id}', {
        ...at(key.id),
        headers: { 'Keyward-Actor': 'bob@example.com' },
        body: { ownerId: 'org_bob' },
      }),
    );
    await button('Save').click();
    await page.getByText('bob@example.com changed this key').waitFor();
    expect((await read()).ownerId).toBe('org_bob');
    expect(await page.getByLabel('Owner', { exact: true }).inputValue()).toBe('org_mine');
    await expectAccessible(page);
    await button('Use theirs').click();
    await button('Save again').click();
    await closed();
    expect(await read()).toMatchObject({ ownerId: 'org_bob', description: 'typed by ada' });
  });

  it('a key that was revoked in another tab meanwhile is said to be, and what was typed stays', async () => {
    await button('Edit…').click();
    await page.getByLabel('Description', { exact: true }).fill('too late');
    await ok(program.root.POST('/v1/keys/{id}/revoke', { ...at(key.id), body: {} }));
    await button('Save').click();
    await page.getByText('was revoked meanwhile').waitFor();
    expect(await page.getByLabel('Description', { exact: true }).inputValue()).toBe('too late');
  });

  it('a rotation shows the new string once, says how the old one is used, and ends its grace', async () => {
    await button('Rotate…').click();
    await expectAccessible(page);
    await button('Rotate key').click();
    const shown = await page.getByTestId('one-time-key').innerText();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    expect(await page.getByText('Copy the key now').isVisible()).toBe(true);
    await page.getByLabel('I have stored it').check();
    await button('Done').click();
    await button('End the grace…').waitFor();
    expect(await page.content()).not.toContain(shown.slice(-40));
    for (const string of [key.key, shown]) {
      expect((await ok(program.root.POST('/v1/verify', { body: { key: string } }))).code).toBe(
        'VALID',
      );
    }
    await button('End the grace…').click();
    await button('End the grace').click();
    await closed();
    const { code } = await ok(program.root.POST('/v1/verify', { body: { key: key.key } }));
    expect(code).toBe('NOT_FOUND');
  });

  it('a key is disabled, enabled, revoked with a reason and deleted, each after it was confirmed', async () => {
    await button('Disable…').click();
    await button('Disable key').click();
    await button('Enable').click();
    await button('Disable…').waitFor();
    expect((await read()).status).toBe('active');
    await button('Revoke…').click();
    await expectAccessible(page);
    await page.getByLabel('Reason').fill('leaked');
    await button('Revoke key').click();
    await button('Delete…').waitFor();
    expect(await read()).toMatchObject({ status: 'revoked', revokeReason: 'leaked' });
    await button('Delete…').click();
    await button('Delete key').click();
    await page.waitForURL(/\/console\/keys\?/);
    await page.goto(`${program.url}/console/keys/${key.id}`);
    await page.getByText('No such key').waitFor();
  });

  it('a key that was used today is revoked only after its name was typed', async () => {
    await ok(program.root.POST('/v1/verify', { body: { key: key.key } }));
    await expect.poll(async () => (await read()).usage.lastUsedAt).not.toBeNull();
    await page.reload();
    await button('Revoke…').click();
    expect(await button('Revoke key').isDisabled()).toBe(true);
    await page.getByLabel('Type its name').fill('looked at');
    expect(await button('Revoke key').isDisabled()).toBe(false);
    await page.keyboard.press('Escape');
    await closed();
    expect((await read()).status).toBe('active');
  });

  it('a dialog that is closed gives the focus back to the button that opened it', async () => {
    for (const name of ['Edit…', 'Rotate…', 'Disable…', 'Revoke…']) {
      await button(name).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await closed();
      await expect
        .poll(() => page.evaluate('document.activeElement.textContent.trim()'))
        .toBe(name);
    }
  });

  it('an explanation says which check fails, and counts nothing', async () => {
    await page.getByLabel('Required scopes').fill('orders:write');
    await button('Explain').click();
    await page.getByText('Scope missing').first().waitFor();
    expect((await read()).usage.total).toBe(0);
  });
});
