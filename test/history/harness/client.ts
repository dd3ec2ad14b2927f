import { forgeKey } from '../../support/forged-key.ts';
import {
  type ChangeCall,
  type ChangedFields,
  isAcknowledged,
  type Operation,
  type RequestedAccess,
  type Verification,
} from '../history.ts';
import { ROOT_KEY } from './instance.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';
import type { KnownManagementKey, KnownString, World } from './world.ts';

export interface ChangeRequest {
  op: Operation;
  workspaceId: string;
  method: string;
  path: string;
  body?: object;
  targets: string[];
  changed?: ChangedFields;
}

/** Where calls are sent: an instance, or what stands before several and says which of them answered. */
export interface Door {
  readonly number: number;
  call(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: object,
  ): Promise<{ status: number; body: unknown; instance?: number }>;
}

/** The answer to a change. */
export interface ChangeResult {
  status: number | null;
  body: Fields;
}

type Fields = Readonly<Record<string, unknown>>;

/** Sends calls and records each with its start, its end and its outcome. */
export class Client {
  readonly #instances: readonly Door[];
  readonly #recorder: Recorder;
  readonly #world: World;
  #count = 0;

  constructor(instances: readonly Door[], recorder: Recorder, world: World) {
    this.#instances = instances;
    this.#recorder = recorder;
    this.#world = world;
  }

  async verify(
    instance: Door,
    string: KnownString,
    requested: RequestedAccess,
    as: KnownString | null = null,
    forged = false,
  ): Promise<Verification> {
    const { scope, resource, ip, cost } = requested;
    const body = {
      key: forged
        ? forgeKey(string.key.slice(0, -66), string.ref, this.#world.checksumKey)
        : string.key,
      ...(scope !== undefined && { requiredScopes: [scope] }),
      ...(resource !== undefined && { resource }),
      ...(ip !== undefined && { ip }),
      ...(cost !== 1 && { cost }),
    };
    const call = await this.#send(instance, 'POST', '/v1/verify', body, as);
    const code = call.status === 200 ? textOf(call.body.code) : null;
    const { body: _, ...times } = call;
    const entry: Verification = {
      type: 'verify',
      ...times,
      ref: string.ref,
      forged,
      requested,
      code,
    };
    if (call.status !== UNSENT) this.#recorder.add(entry);
    return entry;
  }

  /** Sends a change through a random instance, or a random one of those given. */
  async change(
    random: Random,
    request: ChangeRequest,
    through = this.#instances,
  ): Promise<ChangeResult> {
    const { op, workspaceId, method, path, body, targets, changed = {} } = request;
    const call = await this.#send(random.pick(through), method, path, body, null);
    const { body: answer, ...times } = call;
    const named = namedBy(op, answer);
    const newKey = textOf(answer.key);
    const entry: ChangeCall = {
      type: 'change',
      ...times,
      op,
      workspaceId,
      targets: isAcknowledged(call) && named ? named : targets,
      changed,
      newRef: newKey === null ? null : newKey.slice(-65, -49),
    };
    if (call.status !== UNSENT) this.#recorder.add(entry);
    return { status: call.status, body: answer };
  }

  get instances(): readonly Door[] {
    return this.#instances;
  }

  /** Sometimes a management key to verify with; null for the root key. */
  caller(random: Random): KnownString | null {
    const choices: KnownManagementKey[] = this.#world.managementKeys;
    if (choices.length === 0 || !random.chance(0.15)) return null;
    return this.#world.pickString(random, random.pick(choices));
  }

  async #send(
    instance: Door,
    method: string,
    path: string,
    body: object | undefined,
    as: KnownString | null,
  ) {
    const id = `h${(this.#count++).toString(36)}`;
    const headers = { authorization: `Bearer ${as?.key ?? ROOT_KEY}`, 'x-request-id': id };
    const wall = Date.now();
    const start = performance.now();
    const answer: Outcome = await instance.call(method, path, headers, body).catch(asUnanswered);
    const end = performance.now();
    return {
      id,
      instance: answer.instance ?? instance.number,
      start,
      end,
      wall,
      status: answer.status,
      as: as?.ref ?? null,
      body: fieldsOf(answer.body),
    };
  }
}

const UNSENT = 0;

interface Outcome {
  status: number | null;
  body: unknown;
  instance?: number;
}

/** If the connection was refused, nothing was sent, and the call can have had no effect. */
function asUnanswered(error: Error & { code?: string }): Outcome {
  return { status: error.code === 'ECONNREFUSED' ? UNSENT : null, body: null };
}

/** The ids of the answer that were changed; null if the call itself has them. */
function namedBy(op: Operation, answer: Fields): string[] | null {
  if (op === 'bulk-revoke') {
    return Array.isArray(answer.keyIds) ? answer.keyIds.filter((id) => typeof id === 'string') : [];
  }
  if (op !== 'create' && op !== 'create-management') return null;
  const id = textOf(answer.id);
  return id === null ? [] : [id];
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
