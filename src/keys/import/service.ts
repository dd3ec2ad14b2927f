import { authorizedWorkspaceId, type CallContext } from '../../call-context.ts';
import {
  addImportedAlgorithms,
  type DigestHolder,
  findHolders,
  type ImportedSecret,
  insertImportedSecrets,
} from '../../credentials/store.ts';
import { nextRef } from '../../domain/imported-key.ts';
import type { RootKey } from '../../domain/root-key.ts';
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
  readonly #rootKey: RootKey | null;

  constructor(unitOfWork: UnitOfWork, rootKey: RootKey | null) {
    this.#unitOfWork = unitOfWork;
    this.#rootKey = rootKey;
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
        rootKey: this.#rootKey,
      });
      const keyIds = await insertCandidates(write, policies, candidates);
      const accepted = candidates.map(({ index, digest }) => {
        const keyId = keyIds.get(digest);
        return keyId === undefined ? duplicate(index) : created(index, keyId);
      });
      return { body: reportOf([...accepted, ...refused]) };
    });
  }
}

/** Secrets first: an item whose digest is taken gets no key. Returns the new key ids by digest. */
async function insertCandidates(
  write: WriteContext,
  policies: WorkspacePolicies,
  candidates: readonly Candidate[],
): Promise<Map<string, string>> {
  const { tx, at } = write;
  const holders = await findHolders(
    tx,
    candidates.map(({ lookup }) => lookup),
  );
  const free = candidates.filter(({ lookup }) => holders.get(lookup)?.isFree ?? true);
  if (free.length === 0) return new Map();
  await enforceKeyQuota(tx, policies, at, free.length);
  const secrets = free.map((candidate) => toSecret(candidate, holders.get(candidate.lookup)));
  const inserted = await insertImportedSecrets(tx, secrets, at);
  const fresh = free.filter(({ row }) => inserted.has(row.id));
  await insertFresh(write, fresh);
  return new Map(fresh.map(({ digest, row }) => [digest, row.id]));
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

function toSecret({ digest, lookup, item, row }: Candidate, holder?: DigestHolder): ImportedSecret {
  // As lists show it, with or without the ellipsis at its end.
  const start = `${item.start?.replace(/…$/, '') ?? ''}…`;
  const ref = holder ? nextRef(holder.ref) : lookup;
  return { ref, hash: digest, keyId: row.id, workspaceId: row.workspaceId, start };
}
