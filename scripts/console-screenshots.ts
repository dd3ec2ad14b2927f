/**
 * Makes pictures of every page and dialog of the console, in both themes, on a desk and on a phone, from an
 * installation that it fills itself, into the folder that is named; docs/images has two of them.
 *
 *   KEYWARD_TEST_BROWSER=$(command -v chromium) npm run console:screenshots [FOLDER]
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { type BenchEnv, ROOT_KEY, withBenchEnv } from '../bench/harness/env.ts';
import { BROWSER, openBrowser } from '../test/browser/browser.ts';
import { type Call, fillInstallation } from './console/fill.ts';
import { fillAlerts, fillWebhooks, startReceivers } from './console/fill-watching.ts';

const FOLDER = process.argv[2] ?? join(import.meta.dirname, '../docs/images');
const SCREENS = {
  '': { width: 1440, height: 900 },
  '-phone': { width: 360, height: 780 },
};
const THEMES = ['light', 'dark'] as const;
/** Those of a key, by the button that opens each. */
const DIALOGS = { edit: 'Edit…', rotate: 'Rotate…', revoke: 'Revoke…' };

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
    for (const theme of THEMES) {
      for (const [suffix, viewport] of Object.entries(SCREENS)) {
        const page = await browser.newPage({ viewport, colorScheme: theme });
        await takeAll(page, url, { keyId, webhookId }, (name) =>
          take(page, `${name}-${theme}${suffix}`),
        );
        await page.close();
      }
    }
  } finally {
    await browser.close();
    receivers.close();
  }
}

type Take = (name: string) => Promise<void>;
type Ids = Record<'keyId' | 'webhookId', string>;

async function takeAll(page: Page, url: string, ids: Ids, shot: Take): Promise<void> {
  const { keyId, webhookId } = ids;
  await signIn(page, url, shot);
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
    await shot(name);
  }
  await takeDialogs(page, `${url}/console`, keyId, shot);
}

async function takeDialogs(page: Page, url: string, keyId: string, shot: Take): Promise<void> {
  await page.goto(`${url}/keys/${keyId}`);
  for (const [name, opener] of Object.entries(DIALOGS)) {
    await page.getByRole('button', { name: opener, exact: true }).click();
    await page.getByRole('dialog').waitFor();
    await shot(`dialog-${name}`);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  }
  await page.goto(`${url}/keys/new?workspaceId=try`);
  await page.getByLabel('Name').fill('shown once');
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByTestId('one-time-key').waitFor();
  await shot('dialog-one-time-key');
}

async function signIn(page: Page, url: string, shot: Take): Promise<void> {
  await page.goto(`${url}/console`);
  await page.getByLabel('Management key').waitFor();
  await shot('sign-in');
  await page.getByLabel('Management key').fill(ROOT_KEY);
  await page.getByLabel('Your name or address').fill('ada@example.com');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
}

async function take(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(FOLDER, `console-${name}.png`) });
}
