import { type CallContext, listedWorkspaceId } from '../../call-context.ts';
import type { Orm } from '../../db/database.ts';
import { listName, readPage } from '../../http/page.ts';
import type { Clock } from '../../lib/clock.ts';
import { presentKey } from '../presenter.ts';
import { readPolicies } from '../workspace-policies.ts';
import type { KeyPage, ListKeys } from './schemas.ts';
import { listKeys, sizesOfKeys } from './store.ts';

export interface ListingDependencies {
  orm: Orm;
  clock: Clock;
}

/** Lists keys by filter, a page at a time. */
export class ListingService {
  readonly #deps: ListingDependencies;

  constructor(deps: ListingDependencies) {
    this.#deps = deps;
  }

  async list(call: CallContext, query: ListKeys): Promise<KeyPage> {
    const { orm, clock } = this.#deps;
    const scope = listedWorkspaceId(call, query.workspaceId);
    if (scope !== null) await readPolicies(orm, scope);
    const now = clock.date();
    const { rows, nextCursor } = await readPage(query, {
      name: listName('keys', query),
      read: (after, limit) => listKeys(orm, scope, query, { after, now, limit }),
      measure: (after, limit) => sizesOfKeys(orm, scope, query, { after, now, limit }),
      positionOf: ({ sortValue, key }) => ({ value: sortValue, id: key.id }),
    });
    return { data: rows.map((record) => presentKey(record, now.getTime())), nextCursor };
  }
}
