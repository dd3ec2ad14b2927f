import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { requireKeyedAsBefore } from '../../audit/append.ts';
import { operatorOrigin } from '../../audit/operator.ts';
import type { CallContext } from '../../call-context.ts';
import { readInstallation } from '../../db/installation.ts';
import {
  type CommandContext,
  type CommandDatabase,
  withDatabase,
} from '../../db/open-for-command.ts';
import { DEFAULT_WORKSPACE, ROOT_CALLER, WORKSPACE_ID_PATTERN } from '../../domain/caller.ts';
import { KeywardError } from '../../errors.ts';
import { KeyDetector } from '../../http/key-detector.ts';
import { defineCommand } from '../../lib/command.ts';
import { type OptionValues, UsageError } from '../../lib/command-line.ts';
import { UnitOfWork } from '../../unit-of-work/unit-of-work.ts';
import { type Chunk, chunksOf, itemChecker } from './chunks.ts';
import { Progress } from './progress.ts';
import { recordsOf } from './records.ts';
import { type Position, type RefusedLine, ReportFile, START } from './report.ts';
import type { ImportReport } from './schemas.ts';
import { ImportService } from './service.ts';

const OPTIONS = {
  workspace: {
    type: 'string',
    value: 'ID',
    description: 'the workspace that will own the keys; `default` by default',
  },
  report: {
    type: 'string',
    value: 'FILE',
    description: 'records the result of each line; run again with it to resume',
  },
} as const;

export const importCommand = defineCommand({
  name: 'import',
  summary: 'import keys of another system by their digests; docs/import.md has the fields',
  argument: { name: 'FILE', description: 'the keys, as JSON lines (.jsonl) or CSV (.csv)' },
  options: OPTIONS,
  run: async ({ argument: path, options }, context: CommandContext) => {
    const request = { path, ...readImportOptions(options) };
    const areAllValid = await withDatabase(context, (database) => importFile(database, request));
    return areAllValid ? 0 : 1;
  },
});

interface ImportRequest {
  path: string;
  workspaceId: string;
  reportPath: string | null;
}

const WORKSPACE = new RegExp(WORKSPACE_ID_PATTERN);

function readImportOptions({
  workspace = DEFAULT_WORKSPACE,
  report,
}: OptionValues<typeof OPTIONS>): Omit<ImportRequest, 'path'> {
  if (!WORKSPACE.test(workspace)) {
    throw new UsageError('--workspace: is not the id of a workspace.');
  }
  if (report === '') throw new UsageError('--report: must name a file.');
  return { workspaceId: workspace, reportPath: report ?? null };
}

/** Imports a file chunk by chunk. Returns whether every line of it was valid. */
async function importFile(
  { orm, pepper, rootKey }: CommandDatabase,
  { path, workspaceId, reportPath }: ImportRequest,
): Promise<boolean> {
  const sha256 = await hashFile(path);
  await requireKeyedAsBefore(orm, workspaceId, pepper);
  const { checksumKey, clock } = await readInstallation(orm);
  const call = {
    caller: ROOT_CALLER,
    ifMatch: null,
    mustBeNew: false,
    idempotency: null,
    ...operatorOrigin(),
  };
  const imports = new ImportService(new UnitOfWork(orm, clock, pepper), rootKey);
  const target = { imports, call, workspaceId };
  const report = reportPath ? await ReportFile.open(reportPath, { sha256, workspaceId }) : null;
  const progress = new Progress(report?.position ?? START);
  try {
    const records = recordsOf(path);
    const from = progress.position.line;
    const checkItem = itemChecker(new KeyDetector(checksumKey, rootKey));
    for await (const chunk of chunksOf(records, from, checkItem)) {
      const refused = await importChunk(chunk, target, report?.id ?? null, progress);
      await report?.add(refused, progress.position);
      if (!report) progress.show(refused);
    }
  } finally {
    await report?.close();
    progress.end();
  }
  return progress.position.invalid === 0;
}

/** The file's SHA-256. A file that cannot be read to its end is refused before anything is imported. */
async function hashFile(path: string): Promise<string> {
  const digest = createHash('sha256');
  try {
    await pipeline(createReadStream(path), digest);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : '';
    throw new UsageError(`${path}: cannot be read${code}.`);
  }
  for await (const _ of recordsOf(path));
  return digest.digest('hex');
}

interface ImportTarget {
  imports: ImportService;
  call: CallContext;
  workspaceId: string;
}

/** Commits one chunk. Returns the lines that no key was created for. */
async function importChunk(
  { items, refused, through }: Chunk,
  target: ImportTarget,
  reportId: string | null,
  progress: Progress,
): Promise<RefusedLine[]> {
  const results = items.length === 0 ? [] : (await send(items, through, target, reportId)).results;
  const others = results.flatMap(({ index, status, errors }) => {
    const line = items[index]?.line ?? 0;
    return status === 'created' ? [] : [{ line, status, errors }];
  });
  const lines = [...refused, ...others].sort((a, b) => a.line - b.line);
  progress.add(after(progress.position, results.length - others.length, lines, through));
  return lines;
}

function after(
  position: Position,
  created: number,
  refused: readonly RefusedLine[],
  line: number,
): Position {
  const duplicates = refused.filter(({ status }) => status === 'duplicate').length;
  return {
    line,
    created: position.created + created,
    duplicates: position.duplicates + duplicates,
    invalid: position.invalid + refused.length - duplicates,
  };
}

const IN_FLIGHT_PAUSE_MS = 250;
const IN_FLIGHT_ATTEMPTS = 120;

/**
 * With a report, a chunk has an idempotency key: if an earlier run was killed between the commit and
 * its position in the report, the stored answer comes back.
 */
async function send(
  items: Chunk['items'],
  through: number,
  { imports, call, workspaceId }: ImportTarget,
  reportId: string | null,
): Promise<ImportReport> {
  const key = `import ${reportId} ${items[0]?.line}-${through}`;
  const idempotency = reportId === null ? null : { key, fingerprint: key };
  const input = { workspaceId, keys: items.map(({ item }) => ({ value: item })) };
  for (let attempt = 1; ; attempt++) {
    try {
      return (await imports.import({ ...call, idempotency }, input)).body;
    } catch (error) {
      if (!isInFlight(error) || attempt === IN_FLIGHT_ATTEMPTS) throw error;
      await delay(IN_FLIGHT_PAUSE_MS);
    }
  }
}

/** Postgres has not noticed yet that the killed run is gone. */
function isInFlight(error: unknown): boolean {
  return error instanceof KeywardError && error.code === 'IDEMPOTENCY_IN_FLIGHT';
}
