import { type CallContext, listedWorkspaceId } from '../../call-context.ts';
import type { Orm, Transaction } from '../../db/database.ts';
import { toIso } from '../../domain/time.ts';
import { invalidField, KeywardError } from '../../errors.ts';
import { badCursor, decodeCursor } from '../../http/cursor.ts';
import { listName, readPage } from '../../http/page.ts';
import { readInTime } from '../../http/read-in-time.ts';
import type { Clock } from '../../lib/clock.ts';
import { csvOf } from './csv.ts';
import { type RetentionDays, rangeOf, type UsageRange } from './range.ts';
import { DIMENSIONS, type ReadUsage, type UsageGroup, type UsageReport } from './schemas.ts';
import {
  findCreation,
  type GroupPosition,
  type GroupRow,
  type PointRow,
  readGroups,
  readPoints,
  type UsageSelection,
} from './store.ts';

export interface UsageQueryDependencies {
  orm: Orm;
  clock: Clock;
  retention: RetentionDays;
  /** Runs what reads a page of a stream in its caller's turn, as its first page was. */
  inTurn: <T>(group: string, read: () => Promise<T>) => Promise<T>;
}

/** Buckets of all groups of a page. */
const MAX_POINTS = 10_000;
/** Groups of a page of a stream. */
const MAX_GROUPS = 5000;

interface Question extends UsageSelection {
  /** Whether each group has its buckets. */
  isTimed: boolean;
  /** To a workspace, of which only the present tenant's usage is shown. */
  isBound: boolean;
}

interface Read {
  groups: UsageGroup[];
  rows: GroupRow[];
}

/** Answers questions about the usage of many keys. */
export class UsageQueryService {
  readonly #deps: UsageQueryDependencies;

  constructor(deps: UsageQueryDependencies) {
    this.#deps = deps;
  }

  async read(call: CallContext, query: ReadUsage): Promise<UsageReport> {
    const name = listName('usage', query);
    const question = this.#questionOf(call, query, name);
    requireFewPoints(question, query.limit);
    const { range, metric } = question;
    let groups: UsageGroup[] = [];
    const { rows, nextCursor } = await readPage(query, {
      name,
      read: async (after, limit) => {
        const read = await this.#readPage(
          question,
          after && positionIn(after.value, after.id),
          limit,
        );
        groups = read.groups;
        return read.rows;
      },
      positionOf: (row) => ({ value: `${row[metric]} ${range.from} ${range.to}`, id: row.id }),
    });
    return {
      ...shownRange(range),
      metric,
      total: query.cursor === undefined ? totalOf(rows) : null,
      data: groups.slice(0, rows.length),
      nextCursor,
    };
  }

  /** Answers once the first page is read: what is wrong with the question is an answer of its own. */
  async readCsv(call: CallContext, query: ReadUsage): Promise<AsyncIterable<string>> {
    const name = listName('usage', query);
    const question = this.#questionOf(call, query, name);
    const start = query.cursor === undefined ? null : decodeCursor(name, query.cursor);
    const after = start && positionIn(start.value, start.id);
    const isAll = question.order === 'group';
    if (!isAll) requireFewPoints(question, query.limit);
    const size = isAll ? pageSize(question) : query.limit;
    const first = await this.#readPage(question, after, size);
    return csvOf(isAll ? this.#pages(call, question, first, size) : single(first));
  }

  async *#pages({ caller }: CallContext, question: Question, first: Read, size: number) {
    for (let page = first; ; ) {
      yield page.groups;
      const last = page.rows.at(-1);
      if (last === undefined || page.rows.length < size) return;
      const after = { value: '', id: last.id };
      page = await this.#deps.inTurn(caller.group, () => this.#readPage(question, after, size));
    }
  }

  #questionOf(call: CallContext, query: ReadUsage, name: string): Question {
    const { clock, retention } = this.#deps;
    const { keyId: keyIds, secretId, ownerId, code: codes, metric, order = '-metric' } = query;
    if (query.groupBy.includes('secret') && keyIds === undefined && secretId === undefined) {
      throw invalidField('/query/keyId', 'is required to group by secret, or `secretId` is');
    }
    const workspaceId = listedWorkspaceId(call, query.workspaceId);
    return {
      range: rangeOf({ ...query, ...rangeIn(name, query.cursor) }, clock.now(), retention),
      filter: { workspaceId, keyIds, secretId, ownerId, codes },
      groupBy: new Set(DIMENSIONS.filter((dimension) => query.groupBy.includes(dimension))),
      isTimed: query.groupBy.includes('time'),
      isBound: call.caller.workspaceId !== null,
      ...{ metric, order },
    };
  }

  /** In one snapshot, so that groups and their buckets agree. */
  #readPage(question: Question, after: GroupPosition | null, limit: number): Promise<Read> {
    return readInTime(this.#deps.orm, async (tx) => {
      const selection = { ...question, filter: await this.#ownFilter(tx, question) };
      const found = await readGroups(tx, selection, after, limit);
      const rows = found.length === 0 && question.groupBy.size === 0 ? [NO_USE] : found;
      const points =
        question.isTimed && found.length > 0 ? await readPoints(tx, selection, rows) : [];
      return { rows, groups: toGroups(rows, points, question) };
    });
  }

  /** To a bound caller, what a former tenant of its workspace has used does not exist. */
  async #ownFilter(tx: Transaction, { filter, isBound }: Question) {
    const { workspaceId } = filter;
    if (workspaceId === null) return filter;
    const created = await findCreation(tx, workspaceId);
    if (!created) {
      throw new KeywardError('NOT_FOUND', `There is and was no workspace ${workspaceId}.`);
    }
    return { ...filter, ownSince: isBound ? created.getTime() : null };
  }
}

const NO_USE: GroupRow = {
  id: '',
  ...{ workspaceId: null, ownerId: null, keyId: null, secretId: null, secretStart: null },
  ...{ code: null, kind: null, name: null, verifications: 0, units: 0 },
  ...{ totalVerifications: 0, totalUnits: 0 },
};

async function* single({ groups }: Read) {
  yield groups;
}

function bucketsOf({ isTimed, range }: Question): number {
  return isTimed ? range.starts.length : 1;
}

function pageSize(question: Question): number {
  return Math.min(MAX_GROUPS, Math.max(1, Math.floor(MAX_POINTS / bucketsOf(question))));
}

function requireFewPoints(question: Question, limit: number): void {
  const max = pageSize(question);
  if (question.groupBy.size === 0 || limit <= max) return;
  throw invalidField(
    '/query/limit',
    `must be at most ${max}, because each group has ${bucketsOf(question)} buckets`,
  );
}

function totalOf(rows: readonly GroupRow[]) {
  const { totalVerifications, totalUnits } = rows[0] ?? NO_USE;
  return { verifications: totalVerifications ?? 0, units: totalUnits ?? 0 };
}

function toGroups(
  rows: readonly GroupRow[],
  points: readonly PointRow[],
  { isTimed, range }: Question,
): UsageGroup[] {
  const byGroup = Map.groupBy(points, ({ id }) => id);
  const starts = isTimed ? range.starts.map((start) => toIso(start)) : [];
  return rows.map(({ id, totalVerifications: _, totalUnits: _units, ...group }) => {
    const own = new Map((byGroup.get(id) ?? []).map((point) => [point.bucket, point]));
    const buckets = starts.map((start, index) => {
      const { verifications = 0, units = 0 } = own.get(index + 1) ?? {};
      return { start, verifications, units };
    });
    return { ...group, buckets };
  });
}

function shownRange({ from, to, granularity, timeZone }: UsageRange) {
  return { from: toIso(from), to: toIso(to), granularity, timeZone };
}

const POSITION = /^(\d{1,18}) (-?\d{1,15}) (-?\d{1,15})$/;

function positionIn(value: string | null, id: string): GroupPosition {
  const [, metric] = POSITION.exec(value ?? '') ?? [];
  if (metric === undefined) throw badCursor();
  return { value: metric, id };
}

/** The range that the first page had: later ones do not move on with the clock. */
function rangeIn(name: string, cursor: string | undefined): { from?: string; to?: string } {
  if (cursor === undefined) return {};
  const [, , from, to] = POSITION.exec(decodeCursor(name, cursor).value ?? '') ?? [];
  if (from === undefined || to === undefined) throw badCursor();
  return { from: toIso(Number(from)), to: toIso(Number(to)) };
}
