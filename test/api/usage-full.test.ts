import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { Clock } from '../../src/lib/clock.ts';
import { OverloadError } from '../../src/lib/overload.ts';
import { Consumer } from '../../src/limits/consumer.ts';
import { Limiter } from '../../src/limits/limiter.ts';
import { Hasher } from '../../src/secrets/hasher.ts';
import { Prover } from '../../src/secrets/prover.ts';
import { UsageCounters } from '../../src/usage/usage.counters.ts';
import { ImportedKeys } from '../../src/verification/imported-keys.ts';
import { Verifier } from '../../src/verification/verifier.ts';
import { createTestDatabase } from '../support/database.ts';
import { startEngine } from '../support/engine.ts';

async function verifierWith(usage: UsageCounters): Promise<Verifier> {
  const copy = await createTestDatabase();
  const { database, fence, states } = await startEngine(copy.url);
  onTestFinished(async () => {
    await database.close();
    await copy.drop();
  });
  const consumer = new Consumer(database, randomUUID(), () => 0);
  return new Verifier({
    states,
    prover: new Prover({
      hasher: new Hasher({ memoryCost: 8192, timeCost: 1, parallelism: 1 }),
      pepper: null,
      capacity: 10,
      store: () => {},
      harden: () => Promise.resolve(),
    }),
    usage,
    clock: new Clock(),
    checksumKey: createSecretKey(randomBytes(32)),
    limits: new Limiter(consumer, () => fence.incarnation),
    imported: new ImportedKeys(database, fence),
  });
}

it('where no counter is free, a verification is refused rather than answered uncounted', async () => {
  const counters = new UsageCounters(1);
  const verifier = await verifierWith(counters);
  const ask = (workspace: string) => verifier.verify({ key: 'guess' }, Promise.resolve(workspace));
  expect((await ask('first')).code).toBe('NOT_FOUND');
  await expect(ask('second')).rejects.toBeInstanceOf(OverloadError);
  expect((await ask('first')).code).toBe('NOT_FOUND');
  expect(counters.take(10).unmatched).toMatchObject([{ workspaceId: 'first', count: 2 }]);
  expect((await ask('second')).code).toBe('NOT_FOUND');
});
