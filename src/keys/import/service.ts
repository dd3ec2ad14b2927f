import { inArray } from 'drizzle-orm';
import { authorizedWorkspaceId, type CallContext } from '../../call-context.ts';
import { importedAlgorithms, keys, secrets } from '../../db/schema.ts';
import { refOfDigest } from '../../domain/imported-key.ts';
import { newId } from '../../domain/key-string.ts';
import { type FieldError, KeywardError } from '../../errors.ts';
import type { CallResult } from '../../http/reply.ts';
import type { UnitOfWork, WriteContext } from '../../unit-of-work/unit-of-work.ts';
import { ensureQuotaRow } from '../limits.ts';
import { newKeyRow } from '../new-key.ts';
import {
  enforceKeyQuota,
  lockWorkspace,
  requireApiAccess,
  type WorkspacePolicies,
} from '../policies.ts';
import { keyDifference } from '../presenter.ts';
import { keyTarget } from '../service.ts';
import type { KeyRow, NewKeyRow } from '../store.ts';
import type { ImportItem, ImportKeys, ImportReport, ImportResult } from './schemas.ts';

/** An item that can become a key. */
interface Candidate {
  index: number;
  ref: string;
  item: ImportItem;
  row: NewKeyRow;
}

/**
 * Takes over keys of another system by their digests, in one transaction. Items that are known
 * already, or that the workspace's policies refuse, are reported and do not keep the others out.
 */
export function importKeys(
  changes: UnitOfWork,
  call: CallContext,
  input: ImportKeys,
): Promise<CallResult<ImportReport>> {
  const workspaceId = authorizedWorkspaceId(call, input.workspaceId);
  return changes.run(call, async (change) => {
    const policies = await lockWorkspace(change.tx, workspaceId);
    requireApiAccess(policies);
    const { candidates, refused } = sort(call, input.keys, policies, change.at);
    const created = await insert(change, workspaceId, candidates);
    const accepted = candidates.map((candidate) => resultOf(candidate, created));
    return { body: report([...accepted, ...refused]) };
  });
}

function sort(
  call: CallContext,
  items: readonly ImportItem[],
  policies: WorkspacePolicies,
  at: Date,
) {
  const candidates: Candidate[] = [];
  const seen = new Set<string>();
  const refused: ImportResult[] = [];
  items.forEach((item, index) => {
    const ref = refOfDigest(item.hash.algorithm, item.hash.value);
    if (ref === null) refused.push(invalidField(index, [WRONG_DIGEST]));
    else if (seen.has(ref)) refused.push(duplicate(index));
    else {
      try {
        candidates.push({ index, ref, item, row: newKeyRow(call, item, policies, at) });
        seen.add(ref);
      } catch (error) {
        if (!(error instanceof KeywardError)) throw error;
        refused.push(invalidField(index, error.errors));
      }
    }
  });
  return { candidates, refused };
}

/** Secrets first: whose digest is there already gets no key. */
async function insert(change: WriteContext, workspaceId: string, candidates: readonly Candidate[]) {
  const created = new Map<string, KeyRow>();
  if (candidates.length === 0) return created;
  const { tx, at } = change;
  const known = await knownRefs(change, candidates);
  // In one order, so that two imports of the same keys wait for each other and not in a circle.
  const fresh = candidates.filter(({ ref }) => !known.has(ref)).sort(byRef);
  if (fresh.length === 0) return created;
  await enforceKeyQuota(change, workspaceId, fresh.length);
  const inserted = await tx
    .insert(secrets)
    .values(fresh.map((candidate) => secretOf(candidate, workspaceId, at)))
    .onConflictDoNothing()
    .returning({ ref: secrets.ref });
  const refs = new Set(inserted.map(({ ref }) => ref));
  const winners = fresh.filter(({ ref }) => refs.has(ref));
  if (winners.length === 0) return created;
  const rows = await tx
    .insert(keys)
    .values(winners.map(({ row }) => row))
    .returning();
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const { ref, item, row } of winners) {
    const key = byId.get(row.id);
    if (!key) throw new Error('an insert returns its rows');
    await ensureQuotaRow(change, key, item.credits);
    change.audit({ ...keyTarget(key, 'imported'), ...keyDifference(null, key) });
    created.set(ref, key);
  }
  await noteAlgorithms(change, winners);
  return created;
}

function byRef(a: Candidate, b: Candidate): number {
  return a.ref < b.ref ? -1 : 1;
}

async function knownRefs(
  { tx }: WriteContext,
  candidates: readonly Candidate[],
): Promise<Set<string>> {
  const found = await tx
    .select({ ref: secrets.ref })
    .from(secrets)
    .where(
      inArray(
        secrets.ref,
        candidates.map(({ ref }) => ref),
      ),
    );
  return new Set(found.map(({ ref }) => ref));
}

/** From now on, on every instance, strings that are not native are looked up. */
async function noteAlgorithms({ tx }: WriteContext, winners: readonly Candidate[]): Promise<void> {
  const used = new Set(winners.map(({ item }) => item.hash.algorithm));
  const noted = await tx.select().from(importedAlgorithms);
  for (const { algorithm } of noted) used.delete(algorithm);
  if (used.size === 0) return;
  await tx
    .insert(importedAlgorithms)
    .values([...used].sort().map((algorithm) => ({ algorithm })))
    .onConflictDoNothing();
}

function secretOf({ ref, item, row }: Candidate, workspaceId: string, createdAt: Date) {
  const start = item.start === undefined ? '…' : `${item.start}…`;
  const own = { keyId: row.id, workspaceId, start, createdAt };
  return { ref, id: newId('sec'), hash: ref, status: 'current' as const, ...own };
}

const WRONG_DIGEST: FieldError = {
  pointer: '/hash/value',
  detail: 'must be the digest of the whole key string in hex or base64',
};

function resultOf({ index, ref }: Candidate, created: ReadonlyMap<string, KeyRow>): ImportResult {
  const key = created.get(ref);
  return key ? { index, status: 'created', keyId: key.id, errors: [] } : duplicate(index);
}

function duplicate(index: number): ImportResult {
  return { index, status: 'duplicate', keyId: null, errors: [] };
}

function invalidField(index: number, errors: readonly FieldError[]): ImportResult {
  const own = errors.map(({ pointer, detail }) => ({
    pointer: pointer.replace(/^\/body/, ''),
    detail,
  }));
  return { index, status: 'invalid', keyId: null, errors: own };
}

function report(results: ImportResult[]): ImportReport {
  const count = (status: string) => results.filter((result) => result.status === status).length;
  return {
    created: count('created'),
    duplicates: count('duplicate'),
    invalid: count('invalid'),
    results: results.toSorted((a, b) => a.index - b.index),
  };
}
