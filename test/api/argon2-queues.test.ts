import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Answer, type Instance, launch } from '../support/instance.ts';
import { peaksDuring } from '../support/metrics.ts';
import { retryOn503, tally } from '../support/pair.ts';

/** More than may wait in any lane but that of verification. */
const CROWD = 40;
const QUEUES = ['verification', 'management', 'low', 'issuance', 'rehashing'] as const;

/** Without KEYWARD_SECRET no proof is stored: the first use of each string costs argon2. */
describe('argon2', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url, { secret: undefined });
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  const create = async (url: string, body: object = {}) => {
    const answer = await retryOn503(instance, 'POST', url, { body: { name: 'a key', ...body } });
    return String(answer.body.key);
  };
  const crowdOf = (make: () => Promise<string>) => Promise.all(Array.from({ length: CROWD }, make));
  const keys = () => crowdOf(() => create('/v1/keys'));
  const managementKeys = () =>
    crowdOf(() => create('/v1/management-keys', { permissions: ['keys:read'] }));
  const verify = (key: string) => instance.call('POST', '/v1/verify', { body: { key } });

  /** In which lanes someone waited during the calls. */
  async function lanesOf(calls: readonly Promise<Answer>[]) {
    const answers = Promise.all(calls);
    const peaks = await peaksDuring(instance, answers);
    const used = QUEUES.filter((lane) => (peaks.get(`argon2_${lane}_waiting`) ?? 0) > 0);
    return { used, outcomes: tally(await answers) };
  }

  it.each([
    ['what a key is', 'GET', '/v1/whoami', keys],
    ['what a management key is', 'GET', '/v1/whoami', managementKeys],
    ['giving a key up', 'POST', '/v1/whoami/revoke', keys],
    ['giving a management key up', 'POST', '/v1/whoami/revoke', managementKeys],
  ] as const)(
    'argon2 for %s waits in the low lane alone, which refuses before it delays a verification',
    async (_what, method, url, make) => {
      const strangers = await make();
      const [verified = ''] = await keys();
      const calls = strangers.map((as) => instance.call(method, url, { as }));
      const verification = verify(verified);
      const { used, outcomes } = await lanesOf(calls);
      expect(used).toEqual(['low']);
      expect(outcomes['503 OVERLOADED']).toBeGreaterThan(0);
      expect((await verification).body.code).toBe('VALID');
    },
  );

  it('argon2 for imported keys waits in the rehashing queue alone: they are valid and new keys are created meanwhile', async () => {
    const imported = Array.from({ length: CROWD }, (_, i) => `imported-${i}`);
    const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');
    const items = imported.map((key) => ({
      name: key,
      hash: { algorithm: 'sha256', value: hashOf(key) },
    }));
    await instance.call('POST', '/v1/keys/import', { body: { keys: items } });
    const uses = imported.map((key) => verify(key));
    const creation = instance.call('POST', '/v1/keys', { body: { name: 'new' } });
    const { used, outcomes } = await lanesOf([...uses, creation]);
    expect(used).toEqual(['rehashing']);
    expect(outcomes).toEqual({ 200: CROWD, 201: 1 });
  });

  it('argon2 for new and rotated keys waits in the issuance lane alone', async () => {
    const { body } = await instance.call('POST', '/v1/keys', { body: { name: 'rotated' } });
    const [verified = ''] = await keys();
    const calls = Array.from({ length: CROWD / 2 }, () =>
      instance.call('POST', '/v1/keys', { body: { name: 'new' } }),
    );
    const rotation = instance.call('POST', `/v1/keys/${body.id}/rotate`, {
      body: { graceSeconds: 0 },
    });
    const verification = verify(verified);
    const { used, outcomes } = await lanesOf([...calls, rotation]);
    expect(used).toEqual(['issuance']);
    expect(outcomes).toEqual({ 200: 1, 201: CROWD / 2 });
    expect((await verification).body.code).toBe('VALID');
  });

  it('argon2 for verifications waits in no other lane, and a crowd of them is answered', async () => {
    const { used, outcomes } = await lanesOf((await keys()).map(verify));
    expect(used.filter((lane) => lane !== 'verification')).toEqual([]);
    expect(outcomes).toEqual({ 200: CROWD });
  });
});
