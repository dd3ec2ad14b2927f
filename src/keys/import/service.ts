import { authorizedWorkspaceId, type CallContext } from '../../call-context.ts';
import {
  addImportedAlgorithms,
  findKnownRefs,
  type ImportedSecret,
  insertImportedSecrets,
} from '../../credentials/store.ts';
import type { CallResult } from '../../http/reply.ts';
import type { Parsed } from '../../http/validation/parsers.ts';
import { turnKeeper } from '../../lib/turns.ts';
import { ensureQuotaRow } from '../../quotas/consumption-store.ts';
import type { UnitOfWork, WriteContext } from '../../unit-of-work/unit-of-work.ts';
import { auditKeyChange } from '../audit.ts';
import { requireApiAccess } from '../policy-checks.ts';
import { insertKeys } from '../store.ts';
import { enforceKeyQuota, lockPolicies, type WorkspacePolicies } from '../workspace-policies.ts';
import { type Candidate, sortItems } from './candidates.ts';
import { created, duplicate, reportOf } from './results.ts';
import type { ImportItem, ImportReport } from './schemas.ts';

/** Items that are valid, and what is wrong with the others. */
export interface ImportInput {
  workspaceId?: string | undefined;
  keys: readonly Parsed<ImportItem>[];
}

/** Imports keys of another system by the digests of their strings. */
export class ImportService {
  readonly #unitOfWork: UnitOfWork;
  readonly #isRootKey: (ref: string) => boolean;

  /** @param isRootKey whether a ref is the digest of the root key, which is never a key */
  constructor(unitOfWork: UnitOfWork, isRootKey: (ref: string) => boolean) {
    this.#unitOfWork = unitOfWork;
    this.#isRootKey = isRootKey;
  }

  /**
   * In one transaction. Items that are known already, or that the workspace's policies refuse, are
   * reported and do not keep the others out.
   */
  import(call: CallContext, input: ImportInput): Promise<CallResult<ImportReport>> {
    const workspaceId = authorizedWorkspaceId(call, input.workspaceId);
    return this.#unitOfWork.run(call, async (write) => {
      const policies = await lockPolicies(write.tx, workspaceId);
      requireApiAccess(policies);
      const { candidates, refused } = await sortItems(input.keys, {
        by: call.actor,
        policies,
        at: write.at,
        isRootKey: this.#isRootKey,
      });
      const keyIds = await insertCandidates(write, policies, candidates);
      const accepted = candidates.map(({ index, ref }) => {
        const keyId = keyIds.get(ref);
        return keyId === undefined ? duplicate(index) : created(index, keyId);
      });
      return { body: reportOf([...accepted, ...refused]) };
    });
  }
}

/** Secrets first: an item whose digest is known gets no key. Returns the new key ids by ref. */
async function insertCandidates(
  write: WriteContext,
  policies: WorkspacePolicies,
  candidates: readonly Candidate[],
): Promise<Map<string, string>> {
  const { tx, at } = write;
  const refs = candidates.map(({ ref }) => ref);
  const known = await findKnownRefs(tx, refs);
  const unknown = candidates.filter(({ ref }) => !known.has(ref));
  if (unknown.length === 0) return new Map();
  await enforceKeyQuota(tx, policies, at, unknown.length);
  const inserted = await insertImportedSecrets(tx, unknown.map(toSecret), at);
  const fresh = unknown.filter(({ ref }) => inserted.has(ref));
  await insertFresh(write, fresh);
  return new Map(fresh.map(({ ref, row }) => [ref, row.id]));
}

async function insertFresh(write: WriteContext, fresh: readonly Candidate[]): Promise<void> {
  if (fresh.length === 0) return;
  const rows = fresh.map(({ row }) => row);
  const keys = await insertKeys(write.tx, rows);
  const byId = new Map(keys.map((key) => [key.id, key]));
  const turn = turnKeeper();
  for (const { item, row } of fresh) {
    await turn();
    const key = byId.get(row.id);
    if (!key) throw new Error('an insert returns its rows');
    await ensureQuotaRow(write, key, item.credits);
    auditKeyChange(write, 'imported', null, key);
  }
  await addImportedAlgorithms(write.tx, new Set(fresh.map(({ item }) => item.hash.algorithm)));
}

function toSecret({ ref, item, row }: Candidate): ImportedSecret {
  // As lists show it, with or without the ellipsis at its end.
  const start = `${item.start?.replace(/…$/, '') ?? ''}…`;
  return { ref, keyId: row.id, workspaceId: row.workspaceId, start };
}
