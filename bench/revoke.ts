import { parseArgs } from 'node:util';
import { explained } from '../scripts/explained-options.ts';
import { Pepper } from '../src/domain/pepper.ts';
import { bodyOf, createVerifier } from './harness/calls.ts';
import { Connection } from './harness/connection.ts';
import { ROOT_KEY, SECRET, withBenchEnv } from './harness/env.ts';
import { log, publish } from './harness/results.ts';
import { percentile, rounded } from './harness/statistics.ts';
import { type SampledKey, seedKeys } from './seed.ts';

/**
 * Repeated revocation: a key that one instance has cached is revoked through another, and once that
 * is answered the first verifies it. Measures the duration of the call, and how often the verdict
 * was not REVOKED. One such verdict makes the run fail.
 */
const { values: options } = parseArgs({
  options: explained({
    revocations: { type: 'string', default: '100000' },
    clients: { type: 'string', default: '4' },
  }),
});
const SHARE_ACTIVE = 0.9;
const REPORT_EVERY = 10_000;

/** A client that revokes on one instance and verifies on the other. */
interface Client {
  revoking: Connection;
  verifying: Connection;
}

await withBenchEnv(async (env) => {
  const wanted = Number(options.revocations);
  log(`preparing ${wanted} keys`);
  const seed = {
    keys: Math.ceil(wanted / SHARE_ACTIVE),
    pepper: new Pepper(SECRET),
    sampleEvery: 1,
  };
  const keys = (await seedKeys(env.databaseUrl, seed)).slice(0, wanted);
  if (keys.length < wanted) throw new Error('too few of the seeded keys are active');
  const [here, there] = [await env.keyward(), await env.keyward()];
  const verifier = await createVerifier(there);
  const millis: number[] = [];
  const wrong: string[] = [];
  const work = Array.from({ length: Number(options.clients) }, async (_, place) => {
    // Half of the clients revoke through one instance, half through the other.
    const [a, b] = place % 2 === 0 ? [here, there] : [there, here];
    const client = { revoking: new Connection(a.url), verifying: new Connection(b.url) };
    for (let key = keys.pop(); key; key = keys.pop()) {
      millis.push(await revokeAndVerify(client, verifier, key, wrong));
      if (millis.length % REPORT_EVERY === 0) log(`${millis.length}, ${wrong.length} wrong`);
    }
    client.revoking.close();
    client.verifying.close();
  });
  await Promise.all(work);
  millis.sort((a, b) => a - b);
  await publish('revoke', [
    {
      revocations: millis.length,
      clients: Number(options.clients),
      answeredRevoked: millis.length - wrong.length,
      p50Ms: rounded(percentile(millis, 0.5)),
      p99Ms: rounded(percentile(millis, 0.99)),
    },
  ]);
  if (wrong.length > 0) throw new Error(`not REVOKED at once: ${wrong.slice(0, 5).join('\n')}`);
});

async function revokeAndVerify(
  { revoking, verifying }: Client,
  verifier: string,
  { id, key }: SampledKey,
  wrong: string[],
): Promise<number> {
  const look = verifying.prepare('/v1/verify', verifier, bodyOf(key));
  const before = await verifying.send(look);
  if (!before.body.startsWith('{"valid":true')) throw new Error(`not valid: ${before.body}`);
  const started = performance.now();
  const revoked = await revoking.send(
    revoking.prepare(`/v1/keys/${id}/revoke`, `Bearer ${ROOT_KEY}`, '{}'),
  );
  const ms = performance.now() - started;
  const after = await verifying.send(look);
  if (revoked.status !== 200) throw new Error(`not revoked: ${revoked.body}`);
  if (!after.body.includes('"code":"REVOKED"')) wrong.push(after.body);
  return ms;
}
