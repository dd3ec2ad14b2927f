import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey, type SharedProgram, startSharedProgram } from '../support/shared-program.ts';
import { BROWSER, openBrowser } from './browser.ts';
import { expectAccessible, openPerson, type Person, signIn } from './console.ts';

const KEY = /ak_live_[0-9A-Za-z]{65}/;

describe.runIf(BROWSER !== '')('the actions in a row of keys', { timeout: 120_000 }, () => {
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

  async function openMenuOf(name: string, view = 'all'): Promise<void> {
    await ada.page.goto(`${program.url}/console/keys?view=${view}&search=${name}`);
    await ada.page.getByRole('button', { name: `Actions for ${name}` }).click();
  }

  const item = (name: string) => ada.page.getByRole('menuitem', { name });

  it('a rotation from the list shows the new string until it is stored, although the list is read again', async () => {
    await makeKey(program.root, { name: 'rotated-in-list' });
    await openMenuOf('rotated-in-list');
    await item('Rotate…').click();
    await ada.page.getByRole('button', { name: 'Rotate key' }).click();
    await ada.page.getByText(KEY).waitFor();
    await ada.page.waitForLoadState('networkidle');
    expect(await ada.page.getByText(KEY).isVisible()).toBe(true);
    await ada.page.getByLabel('I have stored it').check();
    await ada.page.getByRole('button', { name: 'Done' }).click();
    expect(new URL(ada.page.url()).pathname).toBe('/console/keys');
  });

  it('a key is disabled, enabled, revoked and deleted from the list, which shows each of them', async () => {
    const { page } = ada;
    await makeKey(program.root, { name: 'row-life' });
    await openMenuOf('row-life');
    await item('Disable…').click();
    await page.getByRole('button', { name: 'Disable key' }).click();
    await page.locator('tbody').getByText('Disabled').waitFor();
    await openMenuOf('row-life');
    await item('Enable').click();
    await page.locator('tbody').getByText('Active').waitFor();
    await openMenuOf('row-life');
    await item('Revoke…').click();
    await page.getByRole('button', { name: 'Revoke key' }).click();
    await page.locator('tbody').getByText('Revoked').waitFor();
    await openMenuOf('row-life');
    await item('Delete…').click();
    await page.getByRole('button', { name: 'Delete key' }).click();
    await page.getByText('No key matches').waitFor();
  });

  it('the menu of a row is used by keyboard alone, and Escape gives the focus back to its button', async () => {
    const { page } = ada;
    await makeKey(program.root, { name: 'by-keyboard' });
    await page.goto(`${program.url}/console/keys?search=by-keyboard`);
    const button = page.getByRole('button', { name: 'Actions for by-keyboard' });
    await button.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowUp');
    expect(await item('Revoke…').evaluate((one) => one.matches(':focus'))).toBe(true);
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    expect(await button.evaluate((one) => one.matches(':focus'))).toBe(true);
    expect(await item('Revoke…').isVisible()).toBe(false);
  });

  it('a key that somebody else deleted meanwhile is said to be gone, and nothing else happens', async () => {
    const { page } = ada;
    const { id } = await makeKey(program.root, { name: 'gone-meanwhile' });
    await openMenuOf('gone-meanwhile');
    await program.root.DELETE('/v1/keys/{id}', { params: { path: { id } } });
    await item('Revoke…').click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    expect(ada.complaints).toEqual([]);
  });
});
