import { sql } from 'drizzle-orm';
import type { Orm } from '../../db/database.ts';
import { living, UNUSED_KEYS } from '../../db/key-predicates.ts';
import { badCursor, type CursorPosition } from '../../http/cursor.ts';
import { OF_USAGE, type SectionQuery } from '../hygiene/sections.ts';
import { readSection, type SectionRow } from '../hygiene/store.ts';

/** Keys that were used, by their last use, and behind them those that never were. */
const KINDS = ['used', 'never'] as const;
type Kind = (typeof KINDS)[number];

export type UnusedRow = SectionRow & { kind: Kind };

function queryOf(kind: Kind, before: number, now: number): SectionQuery {
  const { since, where } = UNUSED_KEYS[kind];
  return {
    ...OF_USAGE,
    where: sql`${where(before)} and ${living(now)}`,
    order: kind === 'used' ? { by: sql`u.last_used_day`, type: sql`date` } : null,
    since,
  };
}

export interface UnusedRange {
  workspaceId: string;
  /** Not used since then. */
  before: number;
  now: number;
}

/** One page of them: each kind follows its index. */
export async function readUnused(
  orm: Orm,
  { workspaceId, before, now }: UnusedRange,
  after: CursorPosition | null,
  limit: number,
): Promise<UnusedRow[]> {
  const start = after && toPosition(after);
  const rows: UnusedRow[] = [];
  for (const kind of KINDS.slice(KINDS.indexOf(start?.kind ?? 'used'))) {
    const from = start?.kind === kind ? { ...start, workspaceId } : null;
    const query = queryOf(kind, before, now);
    const found = await readSection(orm, query, workspaceId, from, limit - rows.length);
    rows.push(...found.map((row) => ({ ...row, kind })));
    if (rows.length === limit) break;
  }
  return rows;
}

export function positionOf({ kind, value, id }: UnusedRow): CursorPosition {
  return { value: `${kind} ${value ?? ''}`, id };
}

function toPosition({ value: text, id }: CursorPosition) {
  const [name, value] = (text ?? '').split(' ');
  const kind = KINDS.find((one) => one === name);
  if (!kind) throw badCursor();
  return { kind, value: value || null, id };
}
