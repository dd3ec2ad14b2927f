import { type Browser, chromium } from 'playwright-core';

/** Empty if there is none; scripts/test-browser.sh finds it. */
export const BROWSER = process.env.KEYWARD_TEST_BROWSER ?? '';

/** Without a sandbox, which root and containers cannot have; it opens pages of this machine alone. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox'] });
}
