import { authorizedWorkspaceId, type CallContext } from '../call-context.ts';
import type { SecretIssuer } from '../credentials/issuer.ts';
import { insertSecret } from '../credentials/store.ts';
import type { Orm } from '../db/database.ts';
import { etagOf, type Versioned } from '../http/etag.ts';
import type { CallResult } from '../http/reply.ts';
import type { Clock } from '../lib/clock.ts';
import { ensureQuotaRow } from '../quotas/consumption-store.ts';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import { auditKeyChange } from './audit.ts';
import {
  changeKey,
  findNamedKey,
  type KeyChange,
  type KeyName,
  lockNamedKey,
  readBack,
} from './key-change.ts';
import { changesExpiry, patchKey } from './key-patch.ts';
import { newKeyRow } from './new-key.ts';
import { requireApiAccess } from './policy-checks.ts';
import { presentVersioned } from './presenter.ts';
import { deleteKey, revokeKeys } from './revocation.ts';
import type { IssuedKey, Key } from './schemas/key.ts';
import type { CreateKey, PatchKey, RevokeKey } from './schemas/requests.ts';
import { insertKey } from './store.ts';
import {
  enforceKeyQuota,
  policyLock,
  readPolicies,
  type WorkspacePolicies,
} from './workspace-policies.ts';

export interface KeyServiceDependencies {
  orm: Orm;
  unitOfWork: UnitOfWork;
  issuer: SecretIssuer;
  clock: Clock;
}

/** The life of a key: one function a use case, one transaction a change. */
export class KeyService {
  readonly #deps: KeyServiceDependencies;

  constructor(deps: KeyServiceDependencies) {
    this.#deps = deps;
  }

  create(call: CallContext, input: CreateKey): Promise<Versioned<IssuedKey>> {
    const workspaceId = authorizedWorkspaceId(call, input.workspaceId);
    const prepare = () => this.#prepare(call, workspaceId, input);
    return this.#deps.unitOfWork.runPrepared(call, prepare, async (write, prepared) => {
      const { tx, at } = write;
      const policies = await prepared.lock(tx);
      const row = allowedKey(call, input, policies, at);
      await enforceKeyQuota(tx, policies, at);
      const key = await insertKey(tx, { ...row, prefix: prepared.prefix });
      await ensureQuotaRow(write, key, input.credits);
      await insertSecret(tx, { keyId: key.id, workspaceId }, prepared.issued, at);
      auditKeyChange(write, 'created', null, key);
      const { body, etag } = await readBack(write, key);
      return { body: { ...body, key: prepared.issued.key }, etag };
    });
  }

  /** What can be refused is refused before the costly hash, and checked again in the transaction. */
  async #prepare(call: CallContext, workspaceId: string, input: CreateKey) {
    const { orm, clock, issuer } = this.#deps;
    const policies = await readPolicies(orm, workspaceId);
    const { prefix } = allowedKey(call, input, policies, clock.date());
    await enforceKeyQuota(orm, policies, clock.date());
    return {
      prefix,
      issued: await issuer.issue(prefix, { group: workspaceId }),
      lock: policyLock(policies),
    };
  }

  async get(call: CallContext, name: KeyName): Promise<Versioned<Key>> {
    const { orm, clock } = this.#deps;
    return presentVersioned(await findNamedKey(orm, call, name), clock.now());
  }

  patch(call: CallContext, name: KeyName, patch: PatchKey): Promise<Versioned<Key>> {
    const change: KeyChange = (write, key, locked) => patchKey(write, key, patch, locked);
    // The workspace before its key, as a deletion locks them.
    return changeKey(this.#deps.unitOfWork, call, name, change, changesExpiry(patch));
  }

  /** Final, and idempotent: a second call changes nothing and shows the first one's reason. */
  revoke(call: CallContext, name: KeyName, { reason, note }: RevokeKey): Promise<Versioned<Key>> {
    return changeKey(this.#deps.unitOfWork, call, name, (write, key) =>
      revokeKeys(write, [key], { by: call.actor, reason, note }),
    );
  }

  /** Revokes the key and removes it from every list. Its history stays. */
  delete(call: CallContext, name: KeyName): Promise<CallResult<object>> {
    return this.#deps.unitOfWork.run(call, async (write) => {
      const key = await lockNamedKey(write, call, name);
      return { body: {}, etag: etagOf(await deleteKey(write, key, call.actor)) };
    });
  }
}

function allowedKey(
  { actor }: CallContext,
  input: CreateKey,
  policies: WorkspacePolicies,
  at: Date,
) {
  requireApiAccess(policies);
  return newKeyRow(actor, input, policies, at);
}
