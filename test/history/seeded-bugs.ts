import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FaultName } from './harness/faults.ts';

/** A bug that is added on purpose, to prove that the checker finds bugs of this kind. */
export interface SeededBug {
  /** For people. */
  description: string;
  edits: readonly Edit[];
  /** The only faults to inject, if the bug shows under few of them: it is then found sooner. */
  faults?: readonly FaultName[];
}

interface Edit {
  file: string;
  /** Must occur exactly once in the file. */
  find: string;
  replace: string;
}

export const SEEDED_BUGS: Readonly<Record<string, SeededBug>> = {
  'fence-skipped': {
    description: 'the credential cache answers without waiting for its fence',
    edits: [
      {
        file: 'src/credentials/credential-cache.ts',
        find: 'if (isKnown) await fresh;',
        replace: 'if (this.mayRecall(ref)) void fresh.catch(() => {});',
      },
    ],
  },
  'memory-unfenced': {
    description: 'a verification is answered from memory without waiting for the fence',
    edits: [
      {
        file: 'src/verification/verifier.ts',
        find: 'if (!(await resolver.whenFresh())) return null;',
        replace: 'void resolver.whenFresh().catch(() => {});',
      },
    ],
  },
  'caller-counted-twice': {
    description: 'a verification that memory answers counts the use of its caller a second time',
    edits: [
      {
        file: 'src/verification/verifier.ts',
        find: 'return credential === undefined ? null : this.#conclude(credential, request, caller);',
        replace: `if (credential === undefined) return null;
    await this.countUse(caller);
    return this.#conclude(credential, request, caller);`,
      },
    ],
  },
  'load-kept': {
    description: 'a load that a fence invalidated while it was in flight is cached',
    edits: [
      {
        file: 'src/credentials/credential-loader.ts',
        find: 'if (isWhole && load.isCurrent(loaded)) this.#cache(loaded);',
        replace: 'if (isWhole) this.#cache(loaded);',
      },
    ],
    faults: ['slowLoads'],
  },
  'late-commit-skipped': {
    description: 'the fence reads only transactions that began after the previous fence',
    edits: [
      {
        file: 'src/freshness/fence.ts',
        find: `(txid = any(array(select pg_snapshot_xip($1::pg_snapshot)))
                    or txid >= pg_snapshot_xmax($1::pg_snapshot))`,
        replace: 'txid >= pg_snapshot_xmax($1::pg_snapshot)',
      },
    ],
  },
  'incarnation-ignored': {
    description: 'neither a new incarnation of Postgres nor lost connections clear the cache',
    edits: [
      {
        file: 'src/freshness/fence.ts',
        find: "if (this.#losses !== this.#lossesAtLastFence) return 'connection_lost';",
        replace: '',
      },
      {
        file: 'src/freshness/fence.ts',
        find: "return isSame ? null : 'other_run';",
        replace: 'return null;',
      },
    ],
    faults: ['reuseIds'],
  },
  'probe-of-another-run': {
    description:
      'the first statement of a fence believes the same snapshot of another Postgres run',
    edits: [
      {
        file: 'src/freshness/fence.ts',
        find: 'return probe.snapshot === this.#previous?.snapshot && this.#otherRun(probe) === null;',
        replace: 'return probe.snapshot === this.#previous?.snapshot;',
      },
    ],
    faults: ['reuseIds'],
  },
  'probe-of-newest': {
    description: 'the first statement of a fence compares only the newest transaction',
    edits: [
      {
        file: 'src/freshness/fence.ts',
        find: 'return probe.snapshot === this.#previous?.snapshot && this.#otherRun(probe) === null;',
        replace: `const newest = (moment: Moment | null) => moment?.snapshot.split(':')[1];
    return newest(probe) === newest(this.#previous) && this.#otherRun(probe) === null;`,
      },
    ],
  },
  'pruned-by-age': {
    description: 'the feed is pruned by age: an instance that was frozen misses the deleted rows',
    edits: [
      {
        file: 'src/freshness/feed-pruning.ts',
        find: 'delete from change_feed where txid < (select below from feed_pruned)',
        replace: `delete from change_feed where txid < (select oldest from feed_horizons
          where recorded_at <= clock_timestamp() - interval '1 second'
          order by recorded_at desc limit 1)`,
      },
      {
        file: 'src/background.ts',
        find: 'const MINUTE_MS = 60_000;',
        replace: 'const MINUTE_MS = 250;',
      },
    ],
    faults: ['freeze'],
  },
  'rotated-kept': {
    description: 'a rotation without grace leaves the old string valid',
    edits: [
      {
        file: 'src/credentials/rotation.ts',
        find: 'graceSeconds > 0 ? new Date(at.getTime() + graceSeconds * 1000) : null',
        replace: 'new Date(at.getTime() + 3_600_000)',
      },
    ],
  },
  'proof-unbound': {
    description: 'a cached proof is accepted for any string with its ref',
    edits: [
      {
        file: 'src/credentials/secret-verifier.ts',
        find: 'if (secret.matchedDigest === digest) return true;',
        replace: 'if (secret.matchedDigest !== null) return true;',
      },
    ],
  },
  'flush-repeated': {
    description: 'counters are written a second time when the outcome of a commit was unknown',
    edits: [
      {
        file: 'migrations/0019_usage_store.sql',
        find: '  WHERE batch_sequences.sequence < excluded.sequence;',
        replace: ';',
      },
    ],
    faults: ['cutAtFlush', 'slowThenCut'],
  },
  'fold-repeated': {
    description: 'the fold leaves rows in the log that it has added',
    edits: [
      {
        file: 'migrations/0019_usage_store.sql',
        find: 'DELETE FROM usage_log WHERE id = ANY',
        replace: 'UPDATE usage_log SET shard = shard WHERE id = ANY',
      },
    ],
  },
  'fold-dropped': {
    description: 'the fold deletes the rows of several flushes and adds one of them',
    edits: [
      {
        file: 'migrations/0019_usage_store.sql',
        find: '        FROM gone) AS c',
        replace: '        FROM (SELECT * FROM gone LIMIT 1) AS gone) AS c',
      },
    ],
  },
  'flush-dropped': {
    description: 'counters whose write failed are dropped',
    edits: [
      {
        file: 'src/usage/flusher.ts',
        find: 'sequence: stream.sequence }, batch);',
        replace: 'sequence: stream.sequence }, batch).catch(() => {});',
      },
    ],
  },
  'spent-unlocked': {
    description: 'limits and credits are checked without locking their row',
    edits: [
      {
        file: 'migrations/0014_locks_and_audit.sql',
        find: 'WHERE key_id = ANY (entry_keys) FOR UPDATE SKIP LOCKED',
        replace: 'WHERE key_id = ANY (entry_keys)',
      },
    ],
  },
  'spent-twice': {
    description: 'a quota batch whose answer was lost is consumed a second time',
    edits: [
      {
        file: 'migrations/0014_locks_and_audit.sql',
        find: '  WHERE batch_sequences.sequence < excluded.sequence;\n  IF NOT FOUND THEN',
        replace: '  WHERE true;\n  IF NOT FOUND THEN',
      },
    ],
    faults: ['cutAtConsume', 'slowThenCut'],
  },
  'denial-kept': {
    description: 'a cached denial survives a change of the key',
    edits: [
      {
        file: 'src/quotas/quota-limiter.ts',
        find: "if (kind === 'key') this.#denials.delete(id);",
        replace: "if (kind === 'key') continue;",
      },
    ],
  },
  'delivery-out-of-order': {
    description: 'an event is sent to a webhook while one of the same key waits before it',
    edits: [
      {
        file: 'src/webhooks/sending/queue.ts',
        find: 'earlier.position < queued.position',
        replace: 'earlier.position < 0',
      },
    ],
  },
  'delivery-unaccepted': {
    description: 'an event counts as delivered although its receiver refused it',
    edits: [
      {
        file: 'src/webhooks/sending/queue.ts',
        find: "dueAt ? 'pending' : finished}",
        replace: "'delivered'}",
      },
    ],
  },
  'audit-later': {
    description: 'audit entries are written after the change was committed',
    edits: [
      {
        file: 'src/unit-of-work/unit-of-work.ts',
        find: 'await appendAudit(tx, entries, call, at, this.#pepper);',
        replace: `setTimeout(() => void this.#orm.transaction((later) =>
          appendAudit(later, entries, call, at, this.#pepper)).catch(() => {}), 20);`,
      },
    ],
  },
};

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A copy of the program, so that nobody edits it during a run; with the bug, if there is one. */
export async function copyProgram(bug: SeededBug | null, folder: string): Promise<string> {
  const copy = join(folder, 'program');
  await mkdir(copy, { recursive: true });
  for (const part of ['src', 'migrations', 'package.json']) {
    await cp(join(ROOT, part), join(copy, part), { recursive: true });
  }
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const edit of bug?.edits ?? []) {
    const path = join(copy, edit.file);
    await writeFile(path, applyEdit(await readFile(path, 'utf8'), edit));
  }
  return join(copy, 'src', 'main.ts');
}

/** Throws unless the text to replace occurs exactly once. */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`${file} has ${count} times: ${find}`);
  return text.replace(find, () => replace);
}
