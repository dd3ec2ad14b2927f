import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '../../src');

/** The parts that each part of src may import besides itself: the arrows of the architecture. */
const ARROWS: Record<string, readonly string[]> = {
  domain: [],
  lib: [],
  'errors.ts': [],
  'call-context.ts': ['domain', 'errors.ts'],
  'embedded-postgres': ['lib'],
  db: ['config.ts', 'domain', 'lib', 'embedded-postgres'],
  freshness: ['db', 'lib'],
  credentials: ['errors.ts', 'domain', 'lib', 'db', 'freshness'],
  http: ['errors.ts', 'call-context.ts', 'domain', 'lib', 'db'],
  'tracing.ts': ['lib', 'http'],
  audit: ['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'credentials', 'http'],
  'unit-of-work': ['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'credentials', 'audit'],
  quotas: ['errors.ts', 'domain', 'lib', 'db', 'freshness', 'unit-of-work'],
  usage: ['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'http'],
  retention: ['config.ts', 'db', 'lib'],
  verification: [
    ...['errors.ts', 'call-context.ts', 'domain', 'lib', 'http'],
    ...['credentials', 'quotas', 'usage'],
  ],
  workspaces: ['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'http', 'unit-of-work'],
  keys: [
    ...['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'http', 'unit-of-work'],
    ...['audit', 'credentials', 'quotas', 'workspaces'],
  ],
  alerts: [
    ...['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'http', 'unit-of-work'],
    ...['workspaces'],
  ],
  'idle-policy': ['domain', 'lib', 'db', 'unit-of-work', 'workspaces', 'keys'],
  reports: [
    ...['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'http', 'keys', 'idle-policy'],
  ],
  owners: [...['errors.ts', 'call-context.ts', 'db', 'http', 'unit-of-work', 'workspaces', 'keys']],
  management: [
    ...['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'http', 'unit-of-work'],
    ...['audit', 'credentials', 'workspaces'],
  ],
  events: ['http', 'audit', 'keys', 'management', 'webhooks', 'workspaces'],
  webhooks: [
    ...['errors.ts', 'call-context.ts', 'domain', 'lib', 'db', 'http', 'unit-of-work'],
    ...['audit', 'workspaces', 'management', 'alerts'],
  ],
  leaks: [
    ...['errors.ts', 'domain', 'lib', 'db', 'http', 'unit-of-work'],
    ...['alerts', 'credentials', 'keys', 'management'],
  ],
  console: ['errors.ts', 'call-context.ts', 'domain', 'lib', 'http'],
  whoami: [
    ...['errors.ts', 'call-context.ts', 'domain', 'lib', 'http', 'unit-of-work'],
    ...['credentials', 'keys', 'management'],
  ],
};

/** The files that put the parts together may import all of them. */
const COMPOSITION = [
  ...['main.ts', 'cli.ts', 'start.ts', 'service.ts', 'app.ts', 'config.ts'],
  ...['kernel.ts', 'data-plane.ts', 'control-plane.ts', 'background.ts', 'lifecycle.ts'],
];

/** The one file that writes each table. SQL functions count as the file that calls them. */
const TABLE_OWNERS: Record<string, string> = {
  workspaces: 'workspaces/store.ts',
  keys: 'keys/store.ts',
  managementKeys: 'management/store.ts',
  webhooks: 'webhooks/store.ts',
  webhookDeliveries: 'webhooks/deliveries/store.ts',
  secrets: 'credentials/store.ts',
  secretProofs: 'credentials/store.ts',
  importedAlgorithms: 'credentials/store.ts',
  knownSecrets: 'db/known-secrets.ts',
  keyConsumption: 'quotas/consumption-store.ts',
  idempotencyKeys: 'unit-of-work/idempotency-store.ts',
  alerts: 'alerts/store.ts',
  alertChecks: 'alerts/checks.ts',
  auditEvents: 'audit/store.ts',
  auditCheckpoints: 'audit/store.ts',
  batchSequences: 'db/batch-sequences.ts',
  // SQL alone, without a Drizzle table.
  change_feed: 'freshness/feed-pruning.ts',
  feed_horizons: 'freshness/feed-pruning.ts',
  feed_pruned: 'freshness/feed-pruning.ts',
  incarnation: 'freshness/fence.ts',
};

interface Import {
  from: string;
  to: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replaceAll('\\', '/'))
  .sort();
const texts = new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]));
const imports = files.flatMap(importsOf);

/** Relative imports, static and dynamic, of types too; paths are relative to src. */
function importsOf(from: string): Import[] {
  const found = texts.get(from)?.matchAll(/(?:from|import|import\()\s*'(\.[^']+)'/g) ?? [];
  return [...found].map(([, path = '']) => ({
    from,
    to: posix.normalize(posix.join(dirname(from), path)),
  }));
}

/** The top folder, or the file itself if it is directly in src. */
function partOf(file: string): string {
  return file.split('/')[0] ?? file;
}

const shown = ({ from, to }: Import) => `${from} imports ${to}`;

describe('the arrows of the code', () => {
  it('the imports that are checked are real and lead to files that exist', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
    expect(imports.filter(({ to }) => !texts.has(to) && !to.startsWith('..')).map(shown)).toEqual(
      [],
    );
  });

  it('every part of src is in the table of arrows, and every part in the table exists', () => {
    const parts = new Set(files.map(partOf));
    expect([...Object.keys(ARROWS), ...COMPOSITION].sort()).toEqual([...parts].sort());
  });

  it.each(Object.entries(ARROWS))('%s imports nothing but itself and %j', (part, allowed) => {
    const wrong = imports.filter(
      ({ from, to }) => partOf(from) === part && ![part, ...allowed, '..'].includes(partOf(to)),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('the database folder knows the settings only as a type', () => {
    const importers = imports.filter(({ from, to }) => partOf(from) === 'db' && to === 'config.ts');
    const asValue = importers.filter(
      ({ from }) => !/import type \{[^}]*\} from '[^']*config\.ts'/.test(texts.get(from) ?? ''),
    );
    expect(asValue.map(shown)).toEqual([]);
  });

  it('no chain of imports leads from a folder back to itself', () => {
    const arrows = Map.groupBy(
      imports.filter(({ from, to }) => partOf(from) !== partOf(to)),
      ({ from }) => partOf(from),
    );
    const next = (part: string) => new Set(arrows.get(part)?.map(({ to }) => partOf(to)));
    expect([...arrows.keys()].flatMap((part) => circleFrom(part, next))).toEqual([]);
  });

  it('no chain of imports leads from a file back to itself', () => {
    const arrows = Map.groupBy(imports, ({ from }) => from);
    const next = (file: string) => new Set(arrows.get(file)?.map(({ to }) => to));
    expect(files.flatMap((file) => circleFrom(file, next))).toEqual([]);
  });

  it('no file of src imports a file outside of src, except the package file and the types of the API', () => {
    const outside = imports.filter(({ to }) => to.startsWith('..'));
    expect(outside.map(shown)).toEqual(['console/page/api-types.ts imports ../openapi/types.d.ts']);
  });

  it('what runs in the browser and what runs in the server import nothing of each other', () => {
    const isOfPage = (file: string) => file.startsWith('console/page/');
    const across = imports.filter(
      ({ from, to }) => isOfPage(from) !== isOfPage(to) && !to.startsWith('..'),
    );
    expect(across.map(shown)).toEqual([]);
  });
});

/** The shortest chain of imports from a part back to itself, as text; empty if there is none. */
function circleFrom(start: string, next: (part: string) => Set<string>): string[] {
  const ways = [[start]];
  const seen = new Set<string>();
  for (let way = ways.shift(); way; way = ways.shift()) {
    for (const part of next(way.at(-1) ?? start)) {
      if (part === start) return [[...way, start].join(' → ')];
      if (seen.has(part)) continue;
      seen.add(part);
      ways.push([...way, part]);
    }
  }
  return [];
}

/** A file without its comments, except those for the compiler. */
function codeOf(file: string): string {
  const text = texts.get(file) ?? '';
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/(?!\s*@ts-).*$/gm, '');
}

const WRITES = [
  /\.(?:insert|update|delete)\((\w+)\)/g,
  /\binsertRows\((\w+),/g,
  /\b(?:insert\s+into|update|delete\s+from)\s+([a-z_]+)\b(?=\s*(?:\(|set\b|where\b|as\b|`))/gi,
];

/** The tables that a file writes, through Drizzle or in its SQL. */
function tablesWrittenBy(file: string): string[] {
  const code = codeOf(file);
  return WRITES.flatMap((pattern) => [...code.matchAll(pattern)].map(([, table = '']) => table));
}

describe('the tables', () => {
  it('each table is written by the one file that owns it', () => {
    const wrong = files.flatMap((file) =>
      tablesWrittenBy(file)
        .filter((table) => Object.hasOwn(TABLE_OWNERS, table) && TABLE_OWNERS[table] !== file)
        .map((table) => `${file} writes ${table}, which belongs to ${TABLE_OWNERS[table]}`),
    );
    expect([...new Set(wrong)]).toEqual([]);
  });

  it('every owner named in the table of owners writes its table', () => {
    const idle = Object.entries(TABLE_OWNERS).filter(
      ([table, file]) => !tablesWrittenBy(file).includes(table),
    );
    expect(idle).toEqual([]);
  });
});

describe('the files of the code', () => {
  it('every file of src has a name that says what it contains', () => {
    const vague = /^(utils?|helpers?|index|common|misc|shared|types|constants)\.ts$/;
    expect(files.filter((file) => vague.test(basename(file)))).toEqual([]);
  });

  it('only main.ts reads settings from the environment', () => {
    // The embedded Postgres passes PATH and similar variables on to the programs that it starts.
    const readers = files.filter((file) => /process\s*(\.|\[\s*')env/.test(texts.get(file) ?? ''));
    expect(readers.filter((file) => !file.startsWith('embedded-postgres/'))).toEqual(['main.ts']);
  });

  it('each hook of a route is added in the order that the next ones rely on', () => {
    const [, buildApp = ''] = (texts.get('app.ts') ?? '').split('export async function buildApp');
    const added = [...buildApp.matchAll(/\b(register\w+)\(app[,)]/g)].map(([, name]) => name);
    expect(added).toEqual([
      'registerBodyLimits', // before bodies, which are held by the limit of their call
      'registerValidation',
      'registerErrorHandler',
      'registerAnswerHeaders', // before all that may refuse
      'registerGracefulClose', // refuses while stopping, before anything is looked at
      'registerAdmission', // its hook comes first of those of the complete request
      'registerRequestLog',
      'registerUnknownRoutes',
      'registerSingleHeaders', // before authentication, which reads one of each header
      'registerAuth',
      'registerPresentedCallers', // decorates requests, adds no hook
      'registerPlaces', // around the handler, once its caller is known
      'registerOpenApi', // sees every route that follows
      'registerFeatures',
    ]);
  });

  it('only main.ts acts when it is imported', () => {
    const acting = files.filter((file) => /^await /m.test(texts.get(file) ?? ''));
    expect(acting).toEqual([]);
    expect(texts.get('main.ts')).toContain('await runCommand');
  });

  it('no file of src silences the compiler', () => {
    const silencing =
      /@ts-(?:ignore|expect-error|nocheck)|\bas any\b|\bas unknown as\b|[:<|] ?any\b/;
    expect(files.filter((file) => silencing.test(codeOf(file)))).toEqual([]);
  });
});
