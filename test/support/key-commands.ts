import fc from 'fast-check';
import { expect } from 'vitest';
import type { Answer, Instance } from './instance.ts';
import type { KeyModel, ModelKey } from './key-model.ts';
import type { Pair } from './pair.ts';

/** The system under test: two instances, and a workspace for this run. */
export interface Real {
  pair: Pair;
  workspaceId: string;
}

type Command = fc.AsyncCommand<KeyModel, Real>;

const HOUR_MS = 3_600_000;

const hours = fc.integer({ min: 1, max: 3 });
const lifetime = fc.option(hours);
const grace = fc.integer({ min: 0, max: 2 });
const onFirst = fc.boolean();
const pick = fc.nat({ max: 20 });
const target = fc.record({ onFirst, pick });
type Target = { onFirst: boolean; pick: number };

const create = fc.record({ onFirst, lifetime }).map((input) =>
  command('create', input, async (model, real) => {
    const body = {
      name: 'a key',
      workspaceId: real.workspaceId,
      scopes: ['read'],
      ...(input.lifetime && { expiresInSeconds: seconds(input.lifetime) }),
    };
    const answer = await instanceOf(real, input).call('POST', '/v1/keys', { body });
    expect(answer.status).toBe(201);
    model.add(answer.body.id, answer.body.key, input.lifetime);
  }),
);

const enable = fc.record({ target, enabled: fc.boolean() }).map((input) =>
  onKey('enable', input, async (_model, real, key) => {
    await expectPatched(real, input.target, key, { enabled: input.enabled }, () => {
      key.enabled = input.enabled;
    });
  }),
);

const patchScopes = fc.record({ target, mayRead: fc.boolean() }).map((input) =>
  onKey('patch scopes', input, async (_model, real, key) => {
    const scopes = input.mayRead ? ['read'] : ['write'];
    await expectPatched(real, input.target, key, { scopes }, () => {
      key.mayRead = input.mayRead;
    });
  }),
);

const extend = fc.record({ target, lifetime }).map((input) =>
  onKey('extend', input, async (model, real, key) => {
    const body = input.lifetime
      ? { expiresInSeconds: seconds(input.lifetime) }
      : { expiresAt: null };
    await expectPatched(real, input.target, key, body, () => model.extend(key, input.lifetime));
  }),
);

const rotate = fc.record({ target, grace, supersede: fc.boolean() }).map((input) =>
  onKey('rotate', input, async (model, real, key) => {
    const graceSeconds = input.grace === 0 ? 0 : seconds(input.grace);
    const body = { workspaceId: real.workspaceId, graceSeconds, supersede: input.supersede };
    const url = `/v1/keys/${key.id}/rotate`;
    const answer = await instanceOf(real, input.target).call('POST', url, { body });
    expect(outcome(answer)).toBe(model.rotationOutcome(key, input.supersede));
    if (answer.status === 200) model.rotate(key, answer.body.key, input.grace);
  }),
);

const endGrace = fc.record({ target }).map((input) =>
  onKey('end grace', input, async (model, real, key) => {
    const url = `/v1/keys/${key.id}/retiring-secret?workspaceId=${real.workspaceId}`;
    const answer = await instanceOf(real, input.target).call('DELETE', url);
    expect(answer.status).toBe(key.deleted ? 404 : 204);
    if (!key.deleted) model.endGrace(key);
  }),
);

const revoke = fc.record({ target }).map((input) =>
  onKey('revoke', input, async (_model, real, key) => {
    const body = { workspaceId: real.workspaceId };
    const url = `/v1/keys/${key.id}/revoke`;
    const answer = await instanceOf(real, input.target).call('POST', url, { body });
    expect(answer.status).toBe(key.deleted ? 404 : 200);
    key.revoked = true;
  }),
);

const remove = fc.record({ target }).map((input) =>
  onKey('delete', input, async (_model, real, key) => {
    const url = `/v1/keys/${key.id}?workspaceId=${real.workspaceId}`;
    const answer = await instanceOf(real, input.target).call('DELETE', url);
    expect(answer.status).toBe(key.deleted ? 404 : 204);
    key.deleted = true;
  }),
);

const suspend = fc.record({ onFirst, suspended: fc.boolean() }).map((input) =>
  command('suspend', input, async (model, real) => {
    const action = input.suspended ? 'suspend' : 'resume';
    const url = `/v1/workspaces/${real.workspaceId}/${action}`;
    expect((await instanceOf(real, input).call('POST', url)).status).toBe(200);
    model.suspended = input.suspended;
  }),
);

const advance = hours.map((count) =>
  command('advance', { count }, async (model, { pair }) => {
    pair.advance(count * HOUR_MS);
    model.now += count;
  }),
);

const verify = fc.record({ target, string: pick, asksToRead: fc.boolean() }).map((input) =>
  onKey('verify', input, async (model, real, key) => {
    const { target, asksToRead } = input;
    const string = key.strings[input.string % key.strings.length];
    if (!string) return;
    const body = { key: string.key, ...(asksToRead && { requiredScopes: ['read'] }) };
    const answer = await instanceOf(real, target).call('POST', '/v1/verify', { body });
    const code = model.verdict(key, string, asksToRead);
    const rotation = { retiring: string.endsAt !== null };
    expect(answer.body).toMatchObject(code === 'NOT_FOUND' ? { code } : { code, rotation });
  }),
);

const read = fc.record({ target }).map((input) =>
  onKey('read', input, async (model, real, key) => {
    const url = `/v1/keys/${key.id}?workspaceId=${real.workspaceId}`;
    const { status, body } = await instanceOf(real, input.target).call('GET', url);
    expect(status).toBe(key.deleted ? 404 : 200);
    if (key.deleted) return;
    expect(body.status).toBe(model.status(key));
    expect(body.secrets).toHaveLength(model.retiring(key) ? 2 : 1);
  }),
);

/** Rotations have the most states, and verifications show errors, so they are more frequent. */
export const keyCommands: fc.Arbitrary<Command>[] = [
  create,
  enable,
  patchScopes,
  extend,
  rotate,
  rotate,
  rotate,
  endGrace,
  revoke,
  remove,
  suspend,
  advance,
  read,
  verify,
  verify,
  verify,
];

function command(
  name: string,
  input: object,
  run: (model: KeyModel, real: Real) => Promise<void>,
): Command {
  return { check: () => true, run, toString: () => `${name} ${JSON.stringify(input)}` };
}

/** Few keys at a time, so that each is changed often. */
const KEYS_IN_PLAY = 3;

/** A command on one of the newest keys. */
function onKey(
  name: string,
  input: { target: Target },
  run: (model: KeyModel, real: Real, key: ModelKey) => Promise<void>,
): Command {
  const chosen = ({ keys }: Readonly<KeyModel>) =>
    keys.at(-1 - (input.target.pick % Math.min(keys.length, KEYS_IN_PLAY)));
  return {
    check: (model) => model.keys.length > 0,
    run: async (model, real) => {
      const key = chosen(model);
      if (key) await run(model, real, key);
    },
    toString: () => `${name} ${JSON.stringify(input)}`,
  };
}

async function expectPatched(
  real: Real,
  target: Target,
  key: ModelKey,
  body: object,
  apply: () => void,
): Promise<void> {
  const url = `/v1/keys/${key.id}?workspaceId=${real.workspaceId}`;
  const answer = await instanceOf(real, target).call('PATCH', url, { body });
  expect(outcome(answer)).toBe(patchOutcome(key));
  if (answer.status === 200) apply();
}

function patchOutcome({ deleted, revoked }: ModelKey): string {
  if (deleted) return '404 NOT_FOUND';
  return revoked ? '409 KEY_REVOKED' : '200';
}

function outcome({ status, body }: Answer): string {
  return status === 200 ? '200' : `${status} ${body.code}`;
}

function instanceOf({ pair }: Real, input: { onFirst: boolean }): Instance {
  return input.onFirst ? pair.first : pair.second;
}

/** Half an hour less, as in the model. */
function seconds(count: number): number {
  return count * 3600 - 1800;
}
