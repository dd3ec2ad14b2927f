import type { CallContext } from '../../call-context.ts';
import { requireKnownPolicy } from '../../credentials/credential.ts';
import type { Orm } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { findNamedKey, type KeyName } from '../key-change.ts';
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
    const record = await findNamedKey(orm, call, name);
    // As verify: what needs newer rules than these is not judged by them.
    requireKnownPolicy(record.key);
    const policies = await readPolicies(orm, record.key.workspaceId);
    return explainKey(record, policies, request, clock.now());
  }
}
