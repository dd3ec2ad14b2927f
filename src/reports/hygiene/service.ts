import { type CallContext, EVERY_WORKSPACE, listedWorkspaceId } from '../../call-context.ts';
import type { Orm } from '../../db/database.ts';
import { toIso } from '../../domain/time.ts';
import { badCursor, type CursorPosition } from '../../http/cursor.ts';
import { listName, readPage } from '../../http/page.ts';
import { presentKey } from '../../keys/presenter.ts';
import type { Scope } from '../../keys/store.ts';
import { readPolicies } from '../../keys/workspace-policies.ts';
import type { Clock } from '../../lib/clock.ts';
import type {
  HygieneKeyPage,
  HygieneOwnerPage,
  HygieneQuery,
  HygieneReport,
  HygieneSectionQuery,
} from './schemas.ts';
import {
  KEY_SECTIONS,
  type KeySection,
  OWNER_SECTION,
  type SectionInput,
  sectionQuery,
} from './sections.ts';
import {
  countRows,
  MAX_COUNT,
  ownersOf,
  readOwners,
  readSection,
  rowsOf,
  type SectionPosition,
  sizesOfSection,
} from './store.ts';

/** Finds keys that somebody should look at. */
export class HygieneService {
  readonly #orm: Orm;
  readonly #clock: Clock;

  constructor(orm: Orm, clock: Clock) {
    this.#orm = orm;
    this.#clock = clock;
  }

  /** Counts one section after the other, so that a report takes one connection. */
  async report(call: CallContext, query: HygieneQuery): Promise<HygieneReport> {
    const scope = await this.#scopeOf(call, query);
    const { workspaceId: _, ...parameters } = query;
    const now = this.#clock.now();
    const sections = [];
    for (const section of [...KEY_SECTIONS, OWNER_SECTION] as const) {
      const rows = rowsOfSection(section, scope, { ...parameters, now });
      const found = await countRows(this.#orm, rows);
      const count = found === null ? null : Math.min(found, MAX_COUNT);
      sections.push({ section, count, more: found !== null && found > MAX_COUNT });
    }
    const workspaceId = scope ?? EVERY_WORKSPACE;
    return { asOf: toIso(new Date(now)), workspaceId, parameters, sections };
  }

  async keysOf(
    call: CallContext,
    section: KeySection,
    query: HygieneSectionQuery,
  ): Promise<HygieneKeyPage> {
    const scope = await this.#scopeOf(call, query);
    const now = this.#clock.now();
    const asked = sectionQuery(section, { ...query, now });
    const { rows, nextCursor } = await readPage(query, {
      name: listName(section, query),
      read: (after, limit) => readSection(this.#orm, asked, scope, toPosition(after), limit),
      measure: (after, limit) => sizesOfSection(this.#orm, asked, scope, toPosition(after), limit),
      positionOf: ({ workspaceId, value, id }) => ({ value: `${workspaceId} ${value ?? ''}`, id }),
    });
    const data = rows.map(({ record, since }) => ({
      ...presentKey(record, now),
      since: toIso(since),
    }));
    return { data, nextCursor };
  }

  async owners(call: CallContext, query: HygieneSectionQuery): Promise<HygieneOwnerPage> {
    const scope = await this.#scopeOf(call, query);
    const now = this.#clock.now();
    const { rows, nextCursor } = await readPage(query, {
      name: listName(OWNER_SECTION, query),
      read: (after, limit) => {
        const owner = after && { workspaceId: after.value ?? '', ownerId: after.id };
        return readOwners(this.#orm, ownersOf(scope, now, owner, limit));
      },
      positionOf: ({ workspaceId, ownerId }) => ({ value: workspaceId, id: ownerId }),
    });
    return { data: rows, nextCursor };
  }

  async #scopeOf(call: CallContext, { workspaceId }: HygieneQuery): Promise<Scope> {
    const scope = listedWorkspaceId(call, workspaceId);
    if (scope !== null) await readPolicies(this.#orm, scope);
    return scope;
  }
}

function rowsOfSection(
  section: KeySection | typeof OWNER_SECTION,
  scope: Scope,
  input: SectionInput,
) {
  if (section === OWNER_SECTION) return ownersOf(scope, input.now, null, MAX_COUNT + 1);
  return rowsOf(sectionQuery(section, input), scope, null, MAX_COUNT + 1);
}

/** No workspace has an id with a space. */
function toPosition(after: CursorPosition | null): SectionPosition | null {
  if (!after) return null;
  const [, workspaceId, value] = /^(\S*) (.*)$/.exec(after.value ?? '') ?? [];
  if (workspaceId === undefined || value === undefined) throw badCursor();
  return { workspaceId, value: value || null, id: after.id };
}
