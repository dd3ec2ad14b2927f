import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  makeKey,
  ROOT_KEY,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';
import { BROWSER, openBrowser, openContext } from './browser.ts';

describe.runIf(BROWSER !== '')('the documentation at /docs', { timeout: 120_000 }, () => {
  let program: SharedProgram;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const hosts = new Set<string>();

  beforeAll(async () => {
    program = await startSharedProgram();
    browser = await openBrowser();
    const context = await openContext(browser, { viewport: { width: 1280, height: 1600 } });
    page = await context.newPage();
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('request', (request) => hosts.add(new URL(request.url()).host));
    await page.goto(`${program.url}/docs`);
    await signIn(page);
  });
  afterAll(async () => {
    await browser.close();
    await program.end();
  });

  it.each([
    ['Keys-createKey', '201'],
    ['Verification-verifyKey', '200'],
    ['Verification-verifyKeys', '200'],
    ['Keys-listKeys', '200'],
    ['Keys-importKeys', '200'],
    ['Workspaces-putWorkspace', '201'],
    ['Workspaces-getWorkspace', '200'],
    ['Management_keys-createManagementKey', '201'],
    ['Management_keys-listManagementKeys', '200'],
    ['Audit-listAuditEvents', '200'],
  ])('“Try it out” sends %s as it is prefilled and shows the answer', async (operation, status) => {
    const block = await open(page, operation);
    expect(await execute(block)).toBe(status);
  });

  it('“Try it out” reads a key whose id was typed in', async () => {
    const { id } = await makeKey(program.root);
    const block = await open(page, 'Keys-getKey');
    await block.locator('tr[data-param-name="id"] input').fill(id);
    await block.locator('.execute').click();
    await expect(
      block.locator('.live-responses-table .microlight').first().innerText(),
    ).resolves.toContain(id);
  });

  it('the documentation loads nothing from elsewhere and raises no error', () => {
    expect([...hosts]).toEqual([new URL(program.url).host]);
    expect(complaints).toEqual([]);
  });
});

async function signIn(page: Page): Promise<void> {
  await page.locator('button.authorize').first().click();
  const scheme = page.locator('.auth-container', { hasText: 'managementKey (http, Bearer)' });
  await scheme.locator('input').fill(ROOT_KEY);
  await scheme.locator('button.authorize').click();
  await page.locator('.btn-done').first().click();
}

async function open(page: Page, operation: string): Promise<Locator> {
  const block = page.locator(`#operations-${operation}`);
  await block.locator('.opblock-summary-control').click();
  await block.locator('.try-out__btn').click();
  return block;
}

/** The status of the answer that is shown. */
async function execute(block: Locator): Promise<string> {
  await block.locator('.execute').click();
  const shown = block.locator('.live-responses-table tbody .response-col_status').first();
  const status = (await shown.innerText()).trim().slice(0, 3);
  await block.locator('.opblock-summary-control').click();
  return status;
}
