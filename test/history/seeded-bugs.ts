import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FaultName } from './harness/faults.ts';

/** A bug, put in on purpose: a checker that finds none of these finds nothing. */
export interface SeededBug {
  /** What is wrong, for people. */
  description: string;
  /** Each text stands exactly once in its file. */
  edits: readonly { file: string; find: string; put: string }[];
  /** Where it shows only under some faults: these alone, so that it shows soon. */
  faults?: readonly FaultName[];
}

const DECIDE_LOCK = `PERFORM FROM key_consumption WHERE key_id = ANY (entry_keys)
   ORDER BY key_id COLLATE "C" FOR UPDATE;`;

export const SEEDED_BUGS: Readonly<Record<string, SeededBug>> = {
  'fence-skipped': {
    description: 'memory answers without waiting for its fence',
    edits: [
      {
        file: 'src/verification/states.ts',
        find: 'if (this.#remembers(ref)) await passing;',
        put: 'if (this.#remembers(ref)) void passing.catch(() => {});',
      },
    ],
  },
  'load-kept': {
    description: 'a load that a fence named while it was under way is remembered',
    edits: [
      {
        file: 'src/verification/state-loader.ts',
        find: 'if (isWhole && flight.isCurrent(ref, state)) this.#remember(loaded);',
        put: 'if (isWhole) this.#remember(loaded);',
      },
    ],
    faults: ['slowLoads'],
  },
  'late-commit-skipped': {
    description: 'the fence asks only for transactions that began after the one before it',
    edits: [
      {
        file: 'src/verification/fence.ts',
        find: `(txid = any(array(select pg_snapshot_xip($1::pg_snapshot)))
                    or txid >= pg_snapshot_xmax($1::pg_snapshot))`,
        put: 'txid >= pg_snapshot_xmax($1::pg_snapshot)',
      },
    ],
  },
  'incarnation-ignored': {
    description: 'neither a new run of Postgres nor lost connections empty the memory',
    edits: [
      {
        file: 'src/verification/fence.ts',
        find: 'if (!previous || this.#losses !== this.#lossesVouched) return true;',
        put: 'if (!previous) return true;',
      },
      {
        file: 'src/verification/fence.ts',
        find: 'if (row.incarnation !== previous.incarnation || row.started !== previous.started) return true;',
        put: '',
      },
    ],
    faults: ['reuseIds'],
  },
  'pruned-by-age': {
    description: 'the feed is pruned by age: whoever slept misses what was dropped',
    edits: [
      {
        file: 'src/verification/feed-pruning.ts',
        find: 'delete from change_feed where txid < (select below from feed_pruned)',
        put: `delete from change_feed where txid < (select oldest from feed_horizons
          where recorded_at <= clock_timestamp() - interval '1 second'
          order by recorded_at desc limit 1)`,
      },
      {
        file: 'src/service.ts',
        find: 'const HOUSEKEEPING_MS = 60_000;',
        put: 'const HOUSEKEEPING_MS = 250;',
      },
    ],
    faults: ['freeze'],
  },
  'rotated-kept': {
    description: 'a rotation without grace leaves the old string valid',
    edits: [
      {
        file: 'src/secrets/rotation.ts',
        find: "graceSeconds > 0 ? { status: 'retiring', validUntil } : { status: 'retired' }",
        put: "{ status: 'retiring', validUntil: new Date(at.getTime() + 3_600_000) }",
      },
    ],
  },
  'proof-unbound': {
    description: 'a remembered proof is believed for any string with its ref',
    edits: [
      {
        file: 'src/secrets/prover.ts',
        find: 'if (secret.provenBy === digest) return true;',
        put: 'if (secret.provenBy !== null) return true;',
      },
    ],
  },
  'flush-repeated': {
    description: 'counters are written again where the outcome of a commit was unknown',
    edits: [
      {
        file: 'migrations/0009_write_usage.sql',
        find: '  WHERE batch_sequences.sequence < excluded.sequence;',
        put: ';',
      },
    ],
    faults: ['cutAtFlush', 'slowThenCut'],
  },
  'flush-dropped': {
    description: 'counters whose write failed are forgotten',
    edits: [
      {
        file: 'src/usage/usage.flusher.ts',
        find: 'await this.#write(this.#sequence, batch);',
        put: 'await this.#write(this.#sequence, batch).catch(() => {});',
      },
    ],
  },
  'spent-unlocked': {
    description: 'limits and credits are checked before their row is locked',
    edits: [{ file: 'migrations/0005_consume_limits.sql', find: DECIDE_LOCK, put: '' }],
  },
  'spent-twice': {
    description: 'a batch of limits whose answer was lost is spent again',
    edits: [
      {
        file: 'migrations/0005_consume_limits.sql',
        find: '  WHERE batch_sequences.sequence < excluded.sequence;\n  IF NOT FOUND THEN',
        put: '  WHERE true;\n  IF NOT FOUND THEN',
      },
    ],
    faults: ['cutAtConsume', 'slowThenCut'],
  },
  'denial-kept': {
    description: 'a remembered denial outlives a change of the key',
    edits: [
      {
        file: 'src/limits/limiter.ts',
        find: "if (kind === 'key') this.#denials.delete(id);",
        put: "if (kind === 'key') continue;",
      },
    ],
  },
  'audit-later': {
    description: 'audit entries are written after the change has been committed',
    edits: [
      {
        file: 'src/changes/changes.ts',
        find: 'await appendAudit(tx, entries, call, at, this.#pepper);',
        put: `setTimeout(() => void this.#orm.transaction((later) =>
          appendAudit(later, entries, call, at, this.#pepper)).catch(() => {}), 20);`,
      },
    ],
  },
};

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A copy of the program, so that nobody edits it during a run, with a bug or without. */
export async function copyProgram(bug: SeededBug | null, folder: string): Promise<string> {
  const copy = join(folder, 'program');
  await mkdir(copy, { recursive: true });
  for (const part of ['src', 'migrations', 'package.json']) {
    await cp(join(ROOT, part), join(copy, part), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const { file, find, put } of bug?.edits ?? []) {
    const path = join(copy, file);
    const text = await readFile(path, 'utf8');
    if (text.split(find).length !== 2) throw new Error(`${file} does not have once: ${find}`);
    await writeFile(
      path,
      text.replace(find, () => put),
    );
  }
  return join(copy, 'src', 'main.ts');
}
