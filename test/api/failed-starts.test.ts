import { expect, it, onTestFinished } from 'vitest';
import { connect, createTestDatabase } from '../support/database.ts';
import { launch } from '../support/instance.ts';

it('an instance that cannot be made leaves no connection behind', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const client = await connect(database.url);
  await client.query('alter table change_feed rename to hidden');
  await expect(launch(database.url)).rejects.toThrow();
  const others = async () => {
    const { rows } = await client.query(
      `select count(*)::int as others from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`,
    );
    return rows[0].others;
  };
  await expect.poll(others).toBe(0);
});
