import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { turnQueue } from '../../lib/turns.ts';
import type { App } from '../app-type.ts';

const SCRIPT_TYPE = 'text/javascript; charset=utf-8';

/** What `/docs` loads; the package's own routes would read these files for each request. */
const STATIC_FILES = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'index.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': SCRIPT_TYPE,
  'favicon-32x32.png': 'image/png',
};
const require = createRequire(import.meta.url);
const STATIC_FOLDER = join(dirname(require.resolve('@fastify/swagger-ui/package.json')), 'static');

const INITIALIZER = `window.onload = () => {
  const folder = location.pathname.replace(/\\/?$/, '/');
  SwaggerUIBundle({ dom_id: '#swagger-ui', url: folder + 'json', deepLinking: true, validatorUrl: null });
};
`;

/** Relative to the page, which may be behind a proxy that adds a prefix. */
const page = (folder: string) => `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Keyward</title>
    <link rel="stylesheet" href="${folder}/swagger-ui.css">
    <link rel="stylesheet" href="${folder}/index.css">
    <link rel="icon" type="image/png" href="${folder}/favicon-32x32.png" sizes="32x32">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${folder}/swagger-ui-bundle.js"></script>
    <script src="${folder}/initializer.js"></script>
  </body>
</html>
`;

const HTML = 'text/html; charset=utf-8';
const PAGES = [
  { url: '/docs', type: HTML, bytes: Buffer.from(page('docs/static')) },
  { url: '/docs/', type: HTML, bytes: Buffer.from(page('static')) },
  { url: '/docs/static/initializer.js', type: SCRIPT_TYPE, bytes: Buffer.from(INITIALIZER) },
  ...Object.entries(STATIC_FILES).map(([name, type]) => ({
    url: `/docs/static/${name}`,
    type,
    bytes: readFileSync(join(STATIC_FOLDER, name)),
  })),
];

/** The document, and the pages that show it: bytes that are ready, sent one answer a turn of the loop. */
export function documentPages(app: App): void {
  const nextTurn = turnQueue();
  const serve = (url: string, type: string, bytes: () => Buffer) =>
    app.get(url, { schema: { hide: true } }, async (_request, reply) => {
      await nextTurn();
      return reply.type(type).send(bytes());
    });
  let document = Buffer.alloc(0);
  app.addHook('onReady', async () => {
    document = Buffer.from(JSON.stringify(app.swagger()));
  });
  for (const url of ['/openapi.json', '/docs/json'])
    serve(url, 'application/json; charset=utf-8', () => document);
  for (const { url, type, bytes } of PAGES) serve(url, type, () => bytes);
}
