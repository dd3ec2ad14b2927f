import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { insertKey } from '../support/sql-keys.ts';

const KEYS = 200;

it('a load of many large keys answers each as it is read, in many turns of the event loop', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const client = await connect(database.url);
  const refs = Array.from({ length: KEYS }, (_, i) => i.toString(16).padStart(16, '0'));
  for (const ref of refs) await insertKey(client, { id: `key_${ref}`, ref });
  await client.query(
    `update keys set metadata = (select jsonb_object_agg('name-' || i, repeat('m', 700))
                                   from generate_series(1, 64) as i),
                     resources = (select array_agg('project:' || i) from generate_series(1, 500) as i)`,
  );
  const fixture = await startCacheFixture(database.url);
  onTestFinished(() => fixture.database.close());

  const load = fixture.database.hold('load_credentials', 'after');
  let answered = 0;
  const answers = refs.map(async (ref) => {
    expect(await fixture.cache.get(ref)).toMatchObject({ keyId: `key_${ref}` });
    answered++;
  });
  await load.reached;
  load.open();
  const perTurn: number[] = [];
  for (let before = 0; answered < KEYS; before = answered) {
    await nextTurn();
    perTurn.push(answered - before);
  }
  await Promise.all(answers);
  expect(fixture.cache.loads).toBe(1);
  expect(Math.max(...perTurn)).toBeLessThan(KEYS / 2);
});
