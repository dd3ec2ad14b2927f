import { Clock } from '../../src/lib/clock.ts';
import { Fence } from '../../src/verification/fence.ts';
import { States } from '../../src/verification/states.ts';
import { FeedRecorder } from './feed-recorder.ts';
import { GatedDatabase } from './gated-database.ts';

/** The fence and what it vouches for, without the rest of an instance. */
export interface Engine {
  database: GatedDatabase;
  fence: Fence;
  states: States;
  feed: FeedRecorder;
}

/** Has passed its first fence. */
export async function startEngine(url: string): Promise<Engine> {
  const database = GatedDatabase.open(url);
  const fence = new Fence(database, new Clock());
  const states = new States(database, fence, 1000);
  const feed = new FeedRecorder();
  fence.listen(feed);
  await fence.pass();
  return { database, fence, states, feed };
}
