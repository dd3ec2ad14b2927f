import { randomBytes, randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { Argon2Hasher } from '../../src/credentials/argon2-hasher.ts';
import { CredentialResolver } from '../../src/credentials/credential-resolver.ts';
import { ImportedAlgorithms } from '../../src/credentials/imported-algorithms.ts';
import { LookupBudget } from '../../src/credentials/lookup-budget.ts';
import { SecretVerifier } from '../../src/credentials/secret-verifier.ts';
import { ROOT_CALLER } from '../../src/domain/caller.ts';
import { HmacKey } from '../../src/domain/hmac-key.ts';
import type { CountedSecret } from '../../src/domain/verdict.ts';
import { Clock } from '../../src/lib/clock.ts';
import { OverloadError } from '../../src/lib/overload-error.ts';
import { QuotaLimiter } from '../../src/quotas/quota-limiter.ts';
import { QuotaStore } from '../../src/quotas/quota-store.ts';
import { UsageCounters } from '../../src/usage/counters.ts';
import { Verifier } from '../../src/verification/verifier.ts';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { createTestDatabase } from '../support/database.ts';

async function verifierWith(usage: UsageCounters): Promise<Verifier> {
  const copy = await createTestDatabase();
  const { database, fence, cache } = await startCacheFixture(copy.url);
  onTestFinished(async () => {
    await database.close();
    await copy.drop();
  });
  const secrets = new SecretVerifier({
    hasher: new Argon2Hasher({ memoryCost: 8192, timeCost: 1, parallelism: 1 }),
    pepper: null,
    digestBytes: 10_000,
    storeProof: () => {},
    rehash: () => Promise.resolve(),
  });
  const imported = new ImportedAlgorithms(database, fence);
  const checksumKey = new HmacKey(randomBytes(32));
  const lookups = new LookupBudget(() => Date.now());
  const rootKey = null;
  const quotaStore = new QuotaStore(database, randomUUID(), () => 0, 100);
  return new Verifier({
    resolver: new CredentialResolver({ cache, imported, lookups, secrets, rootKey, checksumKey }),
    quotas: new QuotaLimiter(quotaStore, () => fence.incarnation, 100),
    usage,
    clock: new Clock(),
  });
}

function askAs(verifier: Verifier, workspaceId: string, uncounted: CountedSecret | null) {
  const identified = { caller: ROOT_CALLER, uncounted };
  const caller = { workspaceId, group: ' root', identified };
  return verifier.resolve({ key: 'guess' }, Promise.resolve(caller));
}

it('a verification is refused rather than answered uncounted if no counter is free', async () => {
  const counters = new UsageCounters(1);
  const verifier = await verifierWith(counters);
  const ask = (workspaceId: string) => askAs(verifier, workspaceId, null);
  expect((await ask('first')).code).toBe('NOT_FOUND');
  await expect(ask('second')).rejects.toBeInstanceOf(OverloadError);
  expect((await ask('first')).code).toBe('NOT_FOUND');
  const [batch] = counters.take();
  expect(batch?.unmatched).toMatchObject([{ workspaceId: 'first', count: 2 }]);
  if (batch) counters.release(batch);
  expect((await ask('second')).code).toBe('NOT_FOUND');
});

it('a verification that finds room for one of its two counters counts neither its verdict nor its caller', async () => {
  const counters = new UsageCounters(3);
  const verifier = await verifierWith(counters);
  const caller = { keyId: 'mk_1', ref: 'ref of the caller' };
  const other = { keyId: 'mk_2', ref: 'ref of another' };
  expect((await askAs(verifier, 'first', caller)).code).toBe('NOT_FOUND');
  await expect(askAs(verifier, 'second', other)).rejects.toBeInstanceOf(OverloadError);
  expect((await askAs(verifier, 'first', caller)).code).toBe('NOT_FOUND');
  expect(counters.take()).toMatchObject([
    {
      counts: [{ secretRef: caller.ref, count: 2 }],
      unmatched: [{ workspaceId: 'first', count: 2 }],
    },
  ]);
});
