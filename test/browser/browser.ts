import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
} from 'playwright-core';

/** Empty if there is none; scripts/test-browser.sh finds it. */
export const BROWSER = process.env.KEYWARD_TEST_BROWSER ?? '';

/** For what a page does and shows: only what never comes waits as long, also on a loaded machine. */
const PATIENCE_MS = 90_000;

/**
 * Without a sandbox, which root and containers cannot have; it opens pages of this machine alone. And
 * without /dev/shm, which is small in containers.
 */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: BROWSER,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

/** A window with nothing of another one's: cookies, storage, permissions. */
export async function openContext(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}
