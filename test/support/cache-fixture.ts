import { CredentialCache } from '../../src/credentials/credential-cache.ts';
import { Fence } from '../../src/freshness/fence.ts';
import { Clock } from '../../src/lib/clock.ts';
import { FeedRecorder } from './feed-recorder.ts';
import { GatedDatabase } from './gated-database.ts';

/** A credential cache and its fence, without the rest of an instance. */
export interface CacheFixture {
  database: GatedDatabase;
  fence: Fence;
  cache: CredentialCache;
  feed: FeedRecorder;
}

/** Returns after the first fence. */
export async function startCacheFixture(
  url: string,
  bytes = 16 * 1024 * 1024,
): Promise<CacheFixture> {
  const database = GatedDatabase.open(url);
  const fence = new Fence(database, new Clock());
  const cache = new CredentialCache(database, fence, {
    bytes,
    loads: { rows: 500, waiting: 20_000 },
    staleIfErrorMs: 0,
  });
  const feed = new FeedRecorder();
  fence.subscribe(feed);
  await fence.waitUntilFresh();
  return { database, fence, cache, feed };
}
