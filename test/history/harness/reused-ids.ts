import { setTimeout as delay } from 'node:timers/promises';
import { probe } from './actions.ts';
import type { Fault, Harness } from './faults.ts';
import type { Instance } from './instance.ts';
import type { Postgres } from './server.ts';
import type { KnownKey } from './world.ts';

const CONSUMED_IDS = 200;
/** Enough to get past the ids from before the crash. */
const CAUGHT_UP_IDS = 500;
/** Until the counters of earlier calls are written. */
const FLUSHED_MS = 600;
const ATTEMPTS = 40;

/**
 * A crash after which Postgres assigns transaction ids again that an instance has already passed.
 * That instance is frozen meanwhile, so that it does not notice the crash before the ids have
 * caught up. Clients are paused, because each commit makes the ids before it durable.
 */
export const reuseIds: Fault = (harness, instance) =>
  harness.context.world.pauseFor(async () => {
    const { postgres, context } = harness;
    await delay(FLUSHED_MS);
    await postgres.waitUntilReady();
    // Only keys without limits and credits, since consuming them is a commit.
    const plain = context.world.activeKeys.filter((key) => !key.hasCredits && !key.limit);
    const keys = plain.slice(-6);
    await Promise.all(keys.map((key) => verifyOnce(harness, instance, key)));
    await delay(FLUSHED_MS);
    await postgres.query('checkpoint');
    await consumeIds(postgres, CONSUMED_IDS);
    // Passes a fence and counts nothing: a counter would be a commit once the instance goes on.
    await instance.waitUntilReady();
    const passed = await newestId(postgres);
    instance.signal('SIGSTOP');
    try {
      await postgres.killBackend();
      await revokeElsewhere(harness, instance, keys.slice(-2));
      // Exactly as many make the snapshot the same, to the letter.
      const missing = passed - (await newestId(postgres));
      const isSame = harness.random.chance(0.5);
      await consumeIds(postgres, isSame ? Math.max(0, missing) : CAUGHT_UP_IDS);
    } finally {
      instance.signal('SIGCONT');
    }
    await probe(context, keys.toReversed());
  });

/** That of the latest transaction that has ended. */
async function newestId(postgres: Postgres): Promise<number> {
  const [row] = await postgres.query<{ newest: number }>(
    'select pg_snapshot_xmax(pg_current_snapshot())::text::float8 as newest',
  );
  return row?.newest ?? 0;
}

/** Consumes transaction ids that are assigned but never reach the disk. */
async function consumeIds(postgres: Postgres, count: number): Promise<void> {
  const client = await postgres.connect();
  for (let i = 0; i < count; i++) {
    await client.query('begin');
    await client.query('select pg_current_xact_id()');
    await client.query('rollback');
  }
  await client.end();
}

async function verifyOnce({ context }: Harness, instance: Instance, key: KnownKey): Promise<void> {
  const string = key.strings.at(-1);
  if (string) await context.client.verify(instance, string, { cost: 0 });
}

async function revokeElsewhere(
  { context: { client, random }, instances }: Harness,
  frozen: Instance,
  keys: readonly KnownKey[],
): Promise<void> {
  const others = instances.filter((instance) => instance !== frozen);
  for (const { id, workspaceId } of keys) {
    const path = `/v1/keys/${id}/revoke`;
    const body = { workspaceId };
    const request = {
      op: 'revoke',
      workspaceId,
      method: 'POST',
      path,
      body,
      targets: [id],
    } as const;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { status } = await client.change(random, { ...request, targets: [id] }, others);
      if (status === 200) break;
      await delay(50);
    }
  }
}
