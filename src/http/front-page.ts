import { packageVersion } from '../lib/package-version.ts';
import type { App } from './app-type.ts';

/** Tells who opens the address what answers there. */
export function frontPageRoute(app: App): void {
  app.get('/', { schema: { hide: true } }, () => ({
    service: 'keyward',
    version: packageVersion(),
    docs: '/docs',
    openapi: '/openapi.json',
  }));
}
