/**
 * Makes pictures of every page of the console, in both themes, from an installation that it fills itself,
 * into the folder that is named; docs/images has two of them.
 *
 *   KEYWARD_TEST_BROWSER=$(command -v chromium) npm run console:screenshots [FOLDER [WIDTH]]
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { type BenchEnv, ROOT_KEY, withBenchEnv } from '../bench/harness/env.ts';
import { BROWSER, openBrowser } from '../test/browser/browser.ts';
import { type Call, fillInstallation } from './console/fill.ts';
import { fillAlerts, fillWebhooks, startReceivers } from './console/fill-watching.ts';

const FOLDER = process.argv[2] ?? join(import.meta.dirname, '../docs/images');
const VIEWPORT = { width: Number(process.argv[3] ?? 1440), height: 900 };

if (!BROWSER) throw new Error('a browser must be named, as the head of this says');
await mkdir(FOLDER, { recursive: true });
await withBenchEnv(takePictures);

async function takePictures({ keyward, query }: BenchEnv): Promise<void> {
  const { url } = await keyward({ KEYWARD_WEBHOOK_NETWORKS: '127.0.0.1' });
  const receivers = await startReceivers();
  const headers = { authorization: `Bearer ${ROOT_KEY}`, 'content-type': 'application/json' };
  const call: Call = async (method, path, body) => {
    const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    const { id = '', key = '' } = Object(await response.json());
    return { id, key };
  };
  const webhookId = await fillWebhooks(call, receivers.urls);
  const keyId = await fillInstallation(call, query);
  await fillAlerts(query);
  const browser = await openBrowser();
  try {
    for (const theme of ['light', 'dark'] as const)
      await takeAll(browser, url, theme, { keyId, webhookId });
  } finally {
    await browser.close();
    receivers.close();
  }
}

async function takeAll(
  browser: Browser,
  url: string,
  theme: 'light' | 'dark',
  { keyId, webhookId }: Record<'keyId' | 'webhookId', string>,
): Promise<void> {
  const page = await browser.newPage({ viewport: VIEWPORT, colorScheme: theme });
  await signIn(page, url, theme);
  const pages = {
    keys: 'keys',
    key: `keys/${keyId}`,
    create: 'keys/new?workspaceId=acme',
    import: 'keys/import',
    'every-workspace': 'keys?workspaceId=*',
    usage: 'usage',
    hygiene: 'hygiene?section=without-expiry',
    alerts: 'alerts',
    audit: 'audit',
    workspaces: 'workspaces',
    workspace: 'workspaces/acme',
    'management-keys': 'management-keys',
    webhooks: 'webhooks',
    webhook: `webhooks/${webhookId}`,
    try: 'try',
  };
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(`${url}/console/${path}`);
    await page.locator('main h1').first().waitFor();
    await page.waitForLoadState('networkidle');
    await take(page, `${name}-${theme}`);
  }
  await page.close();
}

async function signIn(page: Page, url: string, theme: string): Promise<void> {
  await page.goto(`${url}/console`);
  await page.getByLabel('Management key').waitFor();
  await take(page, `sign-in-${theme}`);
  await page.getByLabel('Management key').fill(ROOT_KEY);
  await page.getByLabel('Your name or address').fill('ada@example.com');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
}

async function take(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(FOLDER, `console-${name}.png`) });
}
