import type { Actor } from '../../domain/caller.ts';
import { lookupRef, parseDigest } from '../../domain/imported-key.ts';
import type { RootKey } from '../../domain/root-key.ts';
import { type FieldError, KeywardError, refusedFields } from '../../errors.ts';
import type { Parsed } from '../../http/validation/parsers.ts';
import { mapInTurns } from '../../lib/turns.ts';
import { newKeyRow } from '../new-key.ts';
import type { NewKeyRow } from '../store.ts';
import type { WorkspacePolicies } from '../workspace-policies.ts';
import { duplicate, invalid } from './results.ts';
import type { ImportItem, ImportResult } from './schemas.ts';

/** An item that can become a key. */
export interface Candidate {
  index: number;
  /** The digest, as `sha256:<hex>`. */
  digest: string;
  /** What the digest is looked up by in this workspace. */
  lookup: string;
  item: ImportItem;
  row: NewKeyRow;
}

export interface SortedItems {
  candidates: Candidate[];
  refused: ImportResult[];
}

export interface ImportRules {
  by: Actor;
  policies: WorkspacePolicies;
  at: Date;
  rootKey: RootKey | null;
}

/**
 * Sorts out the items that are no keys of this workspace, or name the same key twice. Without the
 * suggestions that a single key gets: there can be a hundred thousand unknown scopes.
 */
export async function sortItems(
  items: readonly Parsed<ImportItem>[],
  { by, policies, at, rootKey }: ImportRules,
): Promise<SortedItems> {
  const candidates = new Map<string, Candidate>();
  const refused: ImportResult[] = [];
  const rowOf = (item: ImportItem) => newKeyRow(by, item, policies, at, { suggest: false });
  await mapInTurns(items, (parsed, index) => {
    if ('errors' in parsed) {
      refused.push(invalid(index, parsed.errors));
      return;
    }
    const item = parsed.value;
    try {
      const digest = digestOf(item);
      if (rootKey?.hasImportedDigest(digest)) throw wrong(ROOT_KEY);
      if (candidates.has(digest)) refused.push(duplicate(index));
      else {
        const lookup = lookupRef(digest, policies.id);
        candidates.set(digest, { index, digest, lookup, item, row: rowOf(item) });
      }
    } catch (error) {
      if (!(error instanceof KeywardError)) throw error;
      refused.push(invalid(index, error.errors));
    }
  });
  return { candidates: [...candidates.values()], refused };
}

const WRONG_DIGEST: FieldError = {
  pointer: '/hash/value',
  detail: 'must be the digest of the whole key string in hex or base64',
};

const ROOT_KEY: FieldError = {
  pointer: '/hash/value',
  detail: 'is the digest of a key that cannot be imported',
};

function digestOf({ hash: { algorithm, value } }: ImportItem): string {
  const digest = parseDigest(algorithm, value);
  if (digest === null) throw wrong(WRONG_DIGEST);
  return digest;
}

function wrong(error: FieldError): KeywardError {
  return refusedFields('INVALID_REQUEST', [error]);
}
