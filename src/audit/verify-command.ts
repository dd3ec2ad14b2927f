import { readFileSync } from 'node:fs';
import type { Orm } from '../db/database.ts';
import { type CommandContext, withDatabase } from '../db/open-for-command.ts';
import { DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { Pepper } from '../domain/pepper.ts';
import { defineCommand } from '../lib/command.ts';
import { type OptionValues, UsageError } from '../lib/command-line.ts';
import type { Head } from './chain.ts';
import { type AuditCheckResult, checkLog } from './check.ts';
import { checkCopy } from './check-copy.ts';
import { logsFor } from './command-logs.ts';
import { readCopy } from './copy.ts';

const PROGRESS_EVERY = 100_000;

const OPTIONS = {
  workspace: { type: 'string', value: 'ID', description: 'only the log of this workspace' },
  expect: {
    type: 'string',
    multiple: true,
    value: '[WORKSPACE:]SEQUENCE:HASH',
    description: 'the log must contain this head, as GET /v1/audit-events/head gave it',
  },
  copy: {
    type: 'string',
    value: 'FILE',
    description:
      'check the lines of the export, or bodies of webhooks one a line, not the database',
  },
  'former-secret-file': {
    type: 'string',
    multiple: true,
    value: 'FILE',
    description: 'contains a former KEYWARD_SECRET',
  },
  'allow-unkeyed': {
    type: 'boolean',
    description: 'accept entries that were written without KEYWARD_SECRET',
  },
} as const;

export const auditVerifyCommand = defineCommand({
  name: 'audit verify',
  summary: 'check that the audit logs are what was written; exits with 1 if one is not',
  options: OPTIONS,
  run: async ({ options }, context: CommandContext) => {
    const request = readVerifyOptions(options);
    if (options.copy !== undefined) {
      const { pepper } = context.settings();
      return (await verifyCopy(options.copy, pepper, request)) ? 0 : 1;
    }
    const areIntact = await withDatabase(context, ({ orm, pepper }) =>
      verifyLogs(orm, pepper, request),
    );
    return areIntact ? 0 : 1;
  },
});

interface VerifyRequest {
  workspaceId: string | undefined;
  expected: ReadonlyMap<string, readonly Head[]>;
  formerPeppers: readonly Pepper[];
  allowUnkeyed: boolean;
}

export function readVerifyOptions(options: OptionValues<typeof OPTIONS>): VerifyRequest {
  const { workspace, expect = [], 'former-secret-file': files = [] } = options;
  const heads = expect.map((text) => readExpected(text, workspace));
  return {
    workspaceId: workspace,
    expected: Map.groupBy(heads, ({ workspaceId }) => workspaceId),
    formerPeppers: files.map(readPepper),
    allowUnkeyed: options['allow-unkeyed'] ?? false,
  };
}

const EXPECTED = /^(?:([A-Za-z0-9._-]{1,64}):)?(\d{1,15}):([0-9a-f]{64})$/;

function readExpected(text: string, workspace: string | undefined) {
  const [, named, sequence, hash] = EXPECTED.exec(text) ?? [];
  if (sequence === undefined || hash === undefined) {
    throw new UsageError(`--expect ${text}: must be [WORKSPACE:]SEQUENCE:HASH.`);
  }
  if (named !== undefined && workspace !== undefined && named !== workspace) {
    throw new UsageError(
      `--expect ${text}: names another workspace than --workspace ${workspace}.`,
    );
  }
  const workspaceId = named ?? workspace ?? DEFAULT_WORKSPACE;
  return { workspaceId, sequence: Number(sequence), hash };
}

function readPepper(path: string): Pepper {
  try {
    return new Pepper(readFileSync(path, 'utf8').replace(/\r?\n$/, ''));
  } catch {
    throw new UsageError(`--former-secret-file ${path}: cannot be read.`);
  }
}

/** Prints a line for each log. Returns whether all of them are intact. */
async function verifyLogs(
  orm: Orm,
  pepper: Pepper | null,
  { workspaceId, expected, formerPeppers, allowUnkeyed }: VerifyRequest,
): Promise<boolean> {
  // One of which a head was kept is checked whether or not anything is left of it.
  const isExpected = workspaceId !== undefined && expected.has(workspaceId);
  const logs = isExpected ? [] : await logsFor(orm, workspaceId);
  const peppers = [...formerPeppers, ...(pepper ? [pepper] : [])];
  const results: AuditCheckResult[] = [];
  for (const log of new Set([...logs, ...expected.keys()])) {
    const result = await checkLog(orm, {
      workspaceId: log,
      peppers: new Map(peppers.map((known) => [known.id, known])),
      expected: expected.get(log) ?? [],
      allowUnkeyed,
      onProgress: (entries) => showProgress(log, entries),
    });
    process.stdout.write(`${describe(result)}\n`);
    results.push(result);
  }
  return results.every(({ problem }) => problem === null);
}

/** Prints a line for each log in the copy, without a database. Returns whether all of them are intact. */
async function verifyCopy(
  path: string,
  pepper: Pepper | null,
  { workspaceId, expected, formerPeppers, allowUnkeyed }: VerifyRequest,
): Promise<boolean> {
  const copy = await readCopy(path);
  const named = workspaceId === undefined ? [...copy.keys()].sort() : [workspaceId];
  const logs = [...new Set([...named, ...expected.keys()])];
  const missing = logs.find((log) => !copy.has(log));
  if (missing !== undefined || logs.length === 0) {
    throw new UsageError(`--copy ${path}: has no entries of ${missing ?? 'an audit log'}.`);
  }
  const peppers = [...formerPeppers, ...(pepper ? [pepper] : [])];
  const results = logs.map((log) =>
    checkCopy(copy, {
      workspaceId: log,
      peppers: new Map(peppers.map((known) => [known.id, known])),
      expected: expected.get(log) ?? [],
      allowUnkeyed,
    }),
  );
  for (const result of results) process.stdout.write(`${describe(result)}\n`);
  return results.every(({ problem }) => problem === null);
}

function showProgress(workspaceId: string, entries: number): void {
  if (entries === 0 || entries % PROGRESS_EVERY !== 0) return;
  process.stderr.write(`${workspaceId}: ${entries} entries checked\n`);
}

function describe(result: AuditCheckResult): string {
  const { workspaceId, problem, entries, first, last, keyedBy, notes } = result;
  if (problem !== null) return `${workspaceId}: broken: ${problem}`;
  if (entries === 0) return `${workspaceId}: intact, no entries`;
  const keyed =
    keyedBy === null
      ? 'not keyed: only heads that were kept elsewhere (--expect) reveal a rewritten log'
      : `keyed with the secret ${keyedBy}`;
  const range = `${workspaceId}: intact, entries ${first} to ${last.sequence}`;
  return [range, `head ${last.sequence}:${last.hash}`, keyed, ...notes].join('; ');
}
