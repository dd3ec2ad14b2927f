import { authorizedWorkspaceId, type CallContext } from '../../call-context.ts';
import type { Orm } from '../../db/database.ts';
import { KeywardError } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { KeyName } from '../key-change.ts';
import { findKey } from '../key-records.ts';
import { readPolicies } from '../workspace-policies.ts';
import { explainKey } from './explanation.ts';
import type { ExplainKey, Explanation } from './schemas.ts';

export interface ExplainDependencies {
  orm: Orm;
  clock: Clock;
}

/** Answers why a key is valid or not. */
export class ExplainService {
  readonly #deps: ExplainDependencies;

  constructor(deps: ExplainDependencies) {
    this.#deps = deps;
  }

  async explain(call: CallContext, name: KeyName, request: ExplainKey): Promise<Explanation> {
    const { orm, clock } = this.#deps;
    const record = await findKey(orm, authorizedWorkspaceId(call, name.workspaceId), name.id);
    if (!record) throw new KeywardError('NOT_FOUND');
    const policies = await readPolicies(orm, record.key.workspaceId);
    return explainKey(record, policies, request, clock.now());
  }
}
