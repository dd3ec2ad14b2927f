import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  at,
  makeKey,
  ok,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';
import { apisix } from './documented/apisix.ts';
import { envoy } from './documented/envoy.ts';
import type { ClientRequest, DocumentedGateway } from './documented/gateway.ts';
import { kong } from './documented/kong.ts';
import { envoyGateway, ingressNginx } from './documented/kubernetes.ts';
import { traefik } from './documented/traefik.ts';
import { perMinute } from './expectations.ts';
import { type Answer, type Line, send } from './http.ts';

const GATEWAYS = [traefik, envoy, apisix, kong, ingressNginx, envoyGateway];
const SCOPED = { scopes: ['orders:read'] };
const FORGED: Line[] = [
  ['X-Keyward-Authorization', 'Bearer kw_forged; requiredScopes=projects:read; cost=0'],
  ['x-keyward-authorization', 'cost=0'],
  ['X_Keyward_Authorization', 'cost=0'],
  ['X-Keyward-Key-Id', 'key_forged'],
  ['X-Keyward-Owner', 'admin'],
  ['x-keyward-scopes', '*'],
  ['X-Keyward-Truncated', 'scopes'],
  ['X-Keyward-Workspace', 'forged'],
];

let keyward: SharedProgram;
let managementKey: string;

beforeAll(async () => {
  keyward = await startSharedProgram();
  const body = { name: 'a gateway', permissions: ['keys:verify' as const] };
  const { key } = await ok(keyward.root.POST('/v1/management-keys', { body }));
  managementKey = key ?? '';
});
afterAll(() => keyward.end());

const create = (options: Parameters<typeof makeKey>[1] = {}) => makeKey(keyward.root, options);

function requestWith(key: string | null, more: readonly Line[] = []): ClientRequest {
  const presented: Line[] = key === null ? [] : [['X-API-Key', key]];
  const headers: Line[] = [...more, ...presented, ['User-Agent', 'a client/1']];
  return { method: 'POST', path: '/orders/7?page=2', address: '203.0.113.7', headers };
}

/** Keyward's answer to what the gateway asks. */
async function answerOf(
  { ask }: DocumentedGateway,
  client: ClientRequest,
  credential = managementKey,
): Promise<Answer> {
  const { method, path, headers } = await ask(client, credential);
  return send(Number(new URL(keyward.url).port), path, { method, headers });
}

describe.each(GATEWAYS)('a client of $name', (gateway) => {
  const { name, refusal, headersForApi, toldOnSuccess, limitedStatus } = gateway;
  const statusOf = async (client: ClientRequest) => refusal(await answerOf(gateway, client));

  it(`${name}, by its documentation, lets a valid key through, with its identity`, async () => {
    const { id, key } = await create({ ...SCOPED, ownerId: 'Zoë:42' });
    for (const presented of [requestWith(key), bearer(key)]) {
      const answer = await answerOf(gateway, presented);
      expect(refusal(answer)).toBeNull();
      const headers = await headersForApi(presented, answer);
      expect(headers).toEqual(expect.arrayContaining([linesLike('X-Keyward-Key-Id', id)]));
      expect(identityOf(headers)).toEqual({
        'x-keyward-key-id': id,
        'x-keyward-owner': 'Zo%C3%AB:42',
        'x-keyward-scopes': 'orders:read',
        'x-keyward-workspace': 'default',
      });
      expect(JSON.stringify(headers).includes(key)).toBe(gateway.handsKeyOn);
    }
  });

  it(`${name}, by its documentation, refuses a missing, an unknown and a just revoked key with 401`, async () => {
    const { id, key } = await create(SCOPED);
    expect(await statusOf(requestWith(null))).toBe(401);
    expect(await statusOf(requestWith('ak_live_no'))).toBe(401);
    expect(await statusOf(requestWith(key))).toBeNull();
    await keyward.root.POST('/v1/keys/{id}/revoke', at(id));
    expect(await statusOf(requestWith(key))).toBe(401);
  });

  it(`${name}, by its documentation, refuses a key without the scope with 403`, async () => {
    const { key } = await create({ scopes: ['projects:read'] });
    const answer = await answerOf(gateway, requestWith(key));
    expect(refusal(answer)).toBe(403);
    expect(answer.headers['www-authenticate']).toContain('scope="orders:read"');
  });

  it(`${name}, by its documentation, refuses a limited key with ${limitedStatus}, and Keyward names Retry-After and RateLimit`, async () => {
    const { key } = await create({ ...SCOPED, rateLimits: [perMinute(1)] });
    expect(await statusOf(requestWith(key))).toBeNull();
    const answer = await answerOf(gateway, requestWith(key));
    expect(refusal(answer)).toBe(limitedStatus);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.headers.ratelimit).toMatch(/^"minute";r=0;t=\d+$/);
  });

  it(`${name}, by its documentation, asks what its file says, whatever a client writes`, async () => {
    const { key: weak } = await create({ scopes: ['projects:read'] });
    const { id, key } = await create(SCOPED);
    const sent = requestWith(weak, FORGED);
    const { headers } = await gateway.ask(sent, managementKey);
    const questions = headers.filter(([name]) => name.toLowerCase() === 'x-keyward-authorization');
    expect(questions.map(([, value]) => value)).toEqual([
      expect.stringMatching(/^Bearer kw_(?!forged).*; requiredScopes=orders:read$/),
    ]);
    expect(await statusOf(sent)).toBe(403);
    const valid = requestWith(key, FORGED);
    const answer = await answerOf(gateway, valid);
    expect(refusal(answer)).toBeNull();
    expect(identityOf(await headersForApi(valid, answer))).toMatchObject({
      'x-keyward-key-id': id,
      'x-keyward-scopes': 'orders:read',
      'x-keyward-workspace': 'default',
    });
    expect(JSON.stringify(await headersForApi(valid, answer))).not.toMatch(
      /"x-keyward-(key-id|owner|scopes|truncated|workspace)","(key_forged|admin|\*|scopes|forged)"/i,
    );
  });

  it(`${name}, by its documentation, is closed if its credential is wrong or a client names the question in Connection`, async () => {
    const { key } = await create(SCOPED);
    const wrong = await answerOf(gateway, requestWith(key), 'kw_wrong');
    expect(refusal(wrong)).toBe(gateway.faultStatus);
    const { key: weak } = await create({ scopes: ['projects:read'] });
    const stripping: Line[] = [['Connection', 'close, X-Keyward-Authorization, X-Keyward-Key-Id']];
    expect(await statusOf(requestWith(weak, stripping))).not.toBeNull();
  });

  it(`${name}, by its documentation, ${gateway.namesAddress ? 'lets a key that is bound to the address of the client through' : 'refuses a key that is bound to addresses'}`, async () => {
    const { key } = await create({ ...SCOPED, allowedIps: ['203.0.113.7'] });
    const { key: elsewhere } = await create({ ...SCOPED, allowedIps: ['198.51.100.9'] });
    const claims: Line[] = [['X-Forwarded-For', '198.51.100.9']];
    expect(await statusOf(requestWith(key))).toBe(gateway.namesAddress ? null : 403);
    expect(await statusOf(requestWith(elsewhere, claims))).toBe(403);
  });

  if (toldOnSuccess.length === 0) return;
  it(`${name}, by its documentation, tells a client whose key passes of its limits and of a retiring string`, async () => {
    const { id, key } = await create({ ...SCOPED, rateLimits: [perMinute(9)] });
    const body = { graceSeconds: 3600 };
    await keyward.root.POST('/v1/keys/{id}/rotate', { ...at(id), body });
    const answer = await answerOf(gateway, requestWith(key));
    expect(refusal(answer)).toBeNull();
    for (const header of toldOnSuccess) expect(answer.headers[header]).toEqual(expect.any(String));
  });
});

const bearer = (key: string) => requestWith(null, [['Authorization', `Bearer ${key}`]]);

const linesLike = (name: string, value: string) =>
  expect.toSatisfy(
    ([header, text]: Line) => header.toLowerCase() === name.toLowerCase() && text === value,
  );

function identityOf(headers: readonly Line[]): Record<string, string> {
  const lines = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
  return Object.fromEntries(
    lines.filter(([name, value]) => /^x-keyward-(?!authorization)/.test(name) && value !== ''),
  );
}
