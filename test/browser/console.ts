import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import { ROOT_KEY } from '../support/shared-program.ts';
import { openContext } from './browser.ts';

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What is wider than the window, or lies beside it, and cannot be scrolled to in a place of its own. */
const WIDER = `[...document.querySelectorAll('body, main, main *')]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .filter((one) => !one.parentElement.closest('.table-wrap, .tabs, pre, .visually-hidden, svg'))
  .map((one) => one.outerHTML.slice(0, 200))`;

/** A browser of one person, and what it complained about. */
export interface Person {
  context: BrowserContext;
  page: Page;
  complaints: string[];
  hosts: Set<string>;
}

export interface Look {
  colorScheme?: 'light' | 'dark';
  width?: number;
}

export async function openPerson(
  browser: Browser,
  { colorScheme = 'light', width = 1440 }: Look = {},
): Promise<Person> {
  const context = await openContext(browser, {
    colorScheme,
    viewport: { width, height: 900 },
    permissions: ['clipboard-read', 'clipboard-write'],
    // For axe alone, which the page itself would not run.
    bypassCSP: false,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const hosts = new Set<string>();
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('console', (message) => {
    const text = message.text();
    // A session that is not there is asked for at every start, bad input is refused, and answers
    // are lost where a test drops them.
    if (message.type() === 'error' && !/status of 4\d\d|ERR_FAILED/.test(text))
      complaints.push(text);
  });
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  return { context, page, complaints, hosts };
}

export async function signIn(
  { page }: Person,
  url: string,
  { key = ROOT_KEY, path = '/console/keys', name = 'ada@example.com' } = {},
): Promise<void> {
  await page.goto(`${url}${path}`);
  await page.getByLabel('Management key').fill(key);
  await page.getByLabel('Your name or address').fill(name);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
}

/** Until the page has loaded what it shows. */
export async function settled(page: Page): Promise<void> {
  await page.locator('main h1').first().waitFor();
  await expect.poll(() => page.locator('[aria-busy="true"]').count()).toBe(0);
}

/** What axe finds on the page as it is, one line a finding. */
async function findingsOf(page: Page): Promise<string[]> {
  await settled(page);
  const session = await page.context().newCDPSession(page);
  // An isolated world: the page's policy, which allows no foreign script, stays as it is.
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId } = await session.send('Page.createIsolatedWorld', {
    frameId: frameTree.frame.id,
    worldName: 'axe',
  });
  const evaluate = async (expression: string) => {
    const options = { contextId: executionContextId, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      expression,
      ...options,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  };
  await evaluate(AXE);
  const found = await evaluate(
    `axe.run(document, { runOnly: ${JSON.stringify(RULES)} }).then(({ violations }) =>
       violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' | ')))`,
  );
  await session.detach();
  return found;
}

export async function expectAccessible(page: Page): Promise<void> {
  expect(await findingsOf(page)).toEqual([]);
  expect(await page.evaluate(WIDER)).toEqual([]);
}
