import { CredentialCache } from '../../src/credentials/credential-cache.ts';
import { Fence } from '../../src/freshness/fence.ts';
import { Clock } from '../../src/lib/clock.ts';
import { FeedRecorder } from './feed-recorder.ts';
import { GatedDatabase } from './gated-database.ts';

/** The fence and what it vouches for, without the rest of an instance. */
export interface CacheFixture {
  database: GatedDatabase;
  fence: Fence;
  cache: CredentialCache;
  feed: FeedRecorder;
}

/** Has passed its first fence. */
export async function startCacheFixture(url: string, capacity = 1000): Promise<CacheFixture> {
  const database = GatedDatabase.open(url);
  const fence = new Fence(database, new Clock());
  const states = new CredentialCache(database, fence, capacity);
  const feed = new FeedRecorder();
  fence.subscribe(feed);
  await fence.waitUntilFresh();
  return { database, fence, cache: states, feed };
}
