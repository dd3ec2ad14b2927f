import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts';
import { textLines } from '../lib/text-lines.ts';
import type { Head } from './chain.ts';

/** Larger than the largest entry, with what is around it. */
const MAX_LINE = 4 * 1024 * 1024;

/** An entry as a copy of a log has it. Which secret keyed its hash is not in the copy. */
export interface CopiedEntry extends Head {
  payload: string;
}

/** A copy of logs: by workspace, and by sequence number the entries, of which there may be several that differ. */
export type Copy = ReadonlyMap<string, ReadonlyMap<number, readonly CopiedEntry[]>>;

/**
 * Reads a copy: the lines that the export to stdout writes, among others, or the bodies of webhooks, one a
 * line. An entry that arrived twice is one.
 */
export async function readCopy(path: string): Promise<Copy> {
  const copy = new Map<string, Map<number, CopiedEntry[]>>();
  for await (const { text } of textLines(path, MAX_LINE)) {
    const found = text === null ? null : entryIn(text);
    if (!found) continue;
    const log = copy.get(found.workspaceId) ?? new Map<number, CopiedEntry[]>();
    copy.set(found.workspaceId, log);
    const same = log.get(found.entry.sequence) ?? [];
    const isKnown = same.some(
      ({ hash, payload }) => hash === found.entry.hash && payload === found.entry.payload,
    );
    if (!isKnown) log.set(found.entry.sequence, [...same, found.entry]);
  }
  return copy;
}

/** Null for a line that is none of a copy. */
function entryIn(text: string): { workspaceId: string; entry: CopiedEntry } | null {
  const line = parseObject(text);
  const entry = line?.event === 'audit.entry' ? line.entry : line?.data;
  if (!line || !isJsonObject(entry) || typeof line.hash !== 'string') return null;
  const { workspaceId, sequence } = entry;
  if (typeof workspaceId !== 'string' || typeof sequence !== 'number') return null;
  // As it was stored, also where something on the way has added spaces.
  const payload = JSON.stringify(entry);
  return { workspaceId, entry: { sequence, hash: line.hash, payload } };
}

function parseObject(text: string): JsonObject | null {
  try {
    const value: Json = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
