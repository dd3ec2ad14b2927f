import { expect, it } from 'vitest';
import { usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';

const pair = usePair();
const MAX_BYTES = 57_344;

/** Scopes that take at least that number of bytes as JSON. */
function scopesOf(bytes: number) {
  const scopes: { scope: string; title: string; description: string }[] = [];
  while (Buffer.byteLength(JSON.stringify(scopes)) < bytes) {
    scopes.push({ scope: `s${scopes.length}`, title: 'Title', description: 'd'.repeat(200) });
  }
  return scopes;
}

it.each(['PUT', 'PATCH'])(
  'a %s does not make a workspace larger than what can be sent back, and leaves it as it is',
  async (method) => {
    const url = `/v1/workspaces/by-${method.toLowerCase()}`;
    const small = { availableScopes: scopesOf(MAX_BYTES - 2000) };
    expect((await pair.first.call('PUT', url, { body: small })).status).toBe(201);
    const large = { availableScopes: scopesOf(MAX_BYTES) };
    const refused = await pair.first.call(method, url, { body: large });
    expectProblem(refused, { status: 400, code: 'INVALID_REQUEST', pointer: '/body' });
    const { body } = await pair.first.call('GET', url);
    expect(body.availableScopes).toHaveLength(small.availableScopes.length);
  },
);
