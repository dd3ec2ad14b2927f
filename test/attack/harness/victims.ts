import { setTimeout as delay } from 'node:timers/promises';
import type { AttackEnv } from './env.ts';
import { add, type Measured, newMeasured, type Samples } from './samples.ts';
import { VictimCaller } from './victim-caller.ts';
import type { VictimKeys } from './victim-keys.ts';

/** How often each kind of victim calls, over all of its connections. */
export const PACE = {
  hot: { perSecond: 100, connections: 4 },
  quota: { perSecond: 20, connections: 2 },
  revocation: { perSecond: 4, connections: 2 },
  rotation: { perSecond: 2, connections: 1 },
  creation: { perSecond: 2, connections: 1 },
} as const;

const VALID = '{"valid":true';

/** Customers of another workspace than the attacker's, who work at their own pace. */
export class Victims {
  readonly #env: AttackEnv;
  readonly #keys: VictimKeys;
  readonly #measured: Measured = newMeasured();
  #turn = 0;

  constructor(env: AttackEnv, keys: VictimKeys) {
    this.#env = env;
    this.#keys = keys;
  }

  /** Fills the service's memory with the keys in use, so that their verifications load nothing. */
  async warmUp(): Promise<void> {
    const caller = this.#caller();
    for (const { key } of [...this.#keys.hot, ...this.#keys.withQuota]) {
      for (let count = 0; count < 2; count++) await caller.post('/v1/verify', { key });
    }
    caller.close();
  }

  async run(seconds: number): Promise<Measured> {
    const until = performance.now() + seconds * 1000;
    await Promise.all([
      this.#repeat(PACE.hot, until, (caller, due) => this.#verify('hot', caller, due)),
      this.#repeat(PACE.quota, until, (caller, due) => this.#verify('quota', caller, due)),
      this.#repeat(PACE.revocation, until, (caller, due) => this.#revoke(caller, due)),
      this.#repeat(PACE.rotation, until, (caller, due) => this.#rotate(caller, due)),
      this.#repeat(PACE.creation, until, (caller, due) => this.#create(caller, due)),
    ]);
    return this.#measured;
  }

  #caller(): VictimCaller {
    return new VictimCaller(this.#env.service.url, this.#keys.managementKey);
  }

  async #repeat(
    { perSecond, connections }: { perSecond: number; connections: number },
    until: number,
    step: (caller: VictimCaller, due: number) => Promise<void>,
  ): Promise<void> {
    const started = performance.now();
    const pauseMs = (connections * 1000) / perSecond;
    const places = Array.from({ length: connections }, (_, place) => place);
    await Promise.all(
      places.map(async (place) => {
        const caller = this.#caller();
        let due = started + (pauseMs * place) / connections;
        for (; due < until && performance.now() < until; due += pauseMs) {
          await delay(Math.max(0, due - performance.now()));
          await step(caller, due);
        }
        caller.close();
      }),
    );
  }

  async #verify(kind: 'hot' | 'quota', caller: VictimCaller, due: number): Promise<void> {
    const keys = kind === 'hot' ? this.#keys.hot : this.#keys.withQuota;
    const key = keys[this.#turn++ % keys.length]?.key;
    const { status, body } = await caller.post('/v1/verify', { key });
    const samples = this.#measured.of[kind];
    samples.ms.push(performance.now() - due);
    if (status !== 200) return refuse(samples, status, body);
    if (!body.startsWith(VALID)) this.#wrong(`a valid key was answered ${codeIn(body)}`);
  }

  /** A cached key is revoked, and must be REVOKED for a verification that begins after the answer. */
  async #revoke(caller: VictimCaller, due: number): Promise<void> {
    const target = this.#keys.revocable.pop();
    if (!target) return;
    const samples = this.#measured.of.revocation;
    await caller.post('/v1/verify', { key: target.key });
    const sent = Math.max(due, performance.now());
    const { status, body } = await caller.post(`/v1/keys/${target.id}/revoke`, {});
    const answered = performance.now();
    samples.ms.push(answered - sent);
    if (status !== 200) return refuse(samples, status, body);
    const after = await caller.post('/v1/verify', { key: target.key });
    if (after.status !== 200) return refuse(samples, after.status, after.body);
    this.#measured.inForceMs.push(performance.now() - answered);
    const code = codeIn(after.body);
    if (code !== 'REVOKED') this.#wrong(`a revoked key was answered ${code}`);
  }

  async #rotate(caller: VictimCaller, due: number): Promise<void> {
    const target = this.#keys.rotating.shift();
    if (!target) return;
    const samples = this.#measured.of.rotation;
    const options = { graceSeconds: 0, supersede: true };
    const { status, body } = await caller.post(`/v1/keys/${target.id}/rotate`, options);
    samples.ms.push(performance.now() - due);
    this.#keys.rotating.push(target);
    if (status >= 300 || status === 0) return refuse(samples, status, body);
    const before = target.key;
    target.key = keyIn(body);
    const old = await caller.post('/v1/verify', { key: before });
    if (old.body.startsWith(VALID)) this.#wrong('the old string of a rotated key was VALID');
    const fresh = await caller.post('/v1/verify', { key: target.key });
    if (fresh.status === 200 && !fresh.body.startsWith(VALID))
      this.#wrong(`the new string of a rotated key was answered ${codeIn(fresh.body)}`);
  }

  async #create(caller: VictimCaller, due: number): Promise<void> {
    const samples = this.#measured.of.creation;
    const { status, body } = await caller.post('/v1/keys', { name: 'of a victim' });
    samples.ms.push(performance.now() - due);
    if (status !== 201) refuse(samples, status, body);
  }

  #wrong(what: string): void {
    this.#measured.wrong.push(what);
  }
}

function refuse(samples: Samples, status: number, body: string): void {
  add(samples.refused, status === 0 ? body : `${status} ${codeIn(body)}`);
}

function codeIn(body: string): string {
  return /"code":"([A-Z_]+)"/.exec(body)?.[1] ?? 'without a code';
}

function keyIn(body: string): string {
  return /"key":"([^"]+)"/.exec(body)?.[1] ?? '';
}
