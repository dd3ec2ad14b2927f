import { readFileSync } from 'node:fs';
import { Pepper } from '../credentials/pepper.ts';
import type { Orm } from '../db/database.ts';
import { DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { parseOptions, UsageError } from '../lib/command-line.ts';
import { requireKeyedAsBefore } from './append.ts';
import type { AuditOrigin, Head } from './chain.ts';
import { type AuditCheckResult, checkLog } from './check.ts';
import { pruneLog } from './retention.ts';
import { listLogs } from './store.ts';

const PROGRESS_EVERY = 100_000;

export interface CommandDependencies {
  orm: Orm;
  pepper: Pepper | null;
}

export interface VerifyOptions {
  workspaceId: string | undefined;
  expected: ReadonlyMap<string, readonly Head[]>;
  formerPeppers: readonly Pepper[];
  allowUnkeyed: boolean;
}

export function parseVerifyArgs(words: string[]): VerifyOptions {
  const options = parseOptions(words, {
    workspace: { type: 'string' },
    expect: { type: 'string', multiple: true },
    'former-secret-file': { type: 'string', multiple: true },
    'allow-unkeyed': { type: 'boolean' },
  });
  const { workspace, expect = [], 'former-secret-file': files = [] } = options;
  const heads = expect.map((text) => readExpected(text, workspace));
  const grouped = Map.groupBy(heads, ({ workspaceId }) => workspaceId);
  return {
    workspaceId: workspace,
    expected: grouped,
    formerPeppers: files.map(pepperIn),
    allowUnkeyed: options['allow-unkeyed'] ?? false,
  };
}

const EXPECTED = /^(?:([A-Za-z0-9._-]{1,64}):)?(\d{1,15}):([0-9a-f]{64})$/;

function readExpected(text: string, workspace: string | undefined) {
  const [, own, sequence, hash] = EXPECTED.exec(text) ?? [];
  if (sequence === undefined || hash === undefined) {
    throw new UsageError(`--expect ${text}: must be [WORKSPACE:]SEQUENCE:HASH.`);
  }
  if (own !== undefined && workspace !== undefined && own !== workspace) {
    throw new UsageError(
      `--expect ${text}: is of another workspace than --workspace ${workspace}.`,
    );
  }
  const workspaceId = own ?? workspace ?? DEFAULT_WORKSPACE;
  return { workspaceId, sequence: Number(sequence), hash };
}

function pepperIn(path: string): Pepper {
  try {
    return new Pepper(readFileSync(path, 'utf8').replace(/\r?\n$/, ''));
  } catch {
    throw new UsageError(`--former-secret-file ${path}: cannot be read.`);
  }
}

/** Whether every log that was asked for is intact. Says of each how it is. */
export async function verifyLogs(deps: CommandDependencies, wish: VerifyOptions): Promise<boolean> {
  const known = wish.workspaceId === undefined ? await listLogs(deps.orm) : [];
  const asked = wish.workspaceId === undefined ? wish.expected.keys() : [wish.workspaceId];
  const peppers = [...wish.formerPeppers, ...(deps.pepper ? [deps.pepper] : [])];
  let intact = true;
  for (const workspaceId of new Set([...known, ...asked])) {
    const verdict = await checkLog(deps.orm, {
      workspaceId,
      peppers: new Map(peppers.map((pepper) => [pepper.id, pepper])),
      expected: wish.expected.get(workspaceId) ?? [],
      allowUnkeyed: wish.allowUnkeyed,
      onProgress: (entries) => showProgress(workspaceId, entries),
    });
    process.stdout.write(`${describe(verdict)}\n`);
    if (verdict.problem !== null) intact = false;
  }
  return intact;
}

function showProgress(workspaceId: string, entries: number): void {
  if (entries === 0 || entries % PROGRESS_EVERY !== 0) return;
  process.stderr.write(`${workspaceId}: ${entries} entries so far\n`);
}

function describe({
  workspaceId,
  problem,
  entries,
  first,
  last,
  keyedBy,
  notes,
}: AuditCheckResult): string {
  if (problem !== null) return `${workspaceId}: broken: ${problem}`;
  if (entries === 0) return `${workspaceId}: intact, no entries`;
  const keyed =
    keyedBy === null
      ? 'not keyed: only heads that were kept elsewhere (--expect) tell a rewritten log'
      : `keyed with the secret ${keyedBy}`;
  const parts = [
    `${workspaceId}: intact, entries ${first} to ${last.sequence}`,
    `head ${last.sequence}:${last.hash}`,
    keyed,
    ...notes,
  ];
  return parts.join('; ');
}

export interface PruneOptions {
  workspaceId: string | undefined;
  before: Date;
}

const TIME =
  /^\d{4}-\d{2}-\d{2}(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d{2}:[0-5]\d))?$/i;

export function parsePruneArgs(words: string[]): PruneOptions {
  const { workspace, before = '' } = parseOptions(words, {
    workspace: { type: 'string' },
    before: { type: 'string' },
  });
  if (!TIME.test(before) || !isRealDay(before.slice(0, 10))) {
    throw new UsageError('--before TIME is needed, such as 2026-01-31 or 2026-01-31T12:00:00Z.');
  }
  return { workspaceId: workspace, before: new Date(before) };
}

/** Date takes 30 February for 2 March: too late for something that deletes. */
function isRealDay(day: string): boolean {
  const time = new Date(day);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day);
}

/** Cuts the front off one log or all, each in a transaction of its own. */
export async function pruneLogs(
  { orm, pepper }: CommandDependencies,
  { workspaceId, before }: PruneOptions,
  origin: AuditOrigin,
): Promise<void> {
  const logs = workspaceId === undefined ? await listLogs(orm) : [workspaceId];
  for (const log of logs) {
    await requireKeyedAsBefore(orm, log, pepper);
    const cut = await pruneLog(orm, log, before, origin, pepper);
    const outcome = cut
      ? `dropped ${cut.dropped} entries, up to ${cut.checkpoint.sequence}:${cut.checkpoint.hash}`
      : 'nothing to drop';
    process.stdout.write(`${log}: ${outcome}\n`);
  }
}
