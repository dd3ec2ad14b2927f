import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Database } from './db/database.ts';
import { readChecksumKey } from './db/installation.ts';
import { readServerVersion } from './db/server-version.ts';
import { deleteFutureRows } from './freshness/feed-pruning.ts';
import { Fence } from './freshness/fence.ts';
import type { ManagementQueue } from './http/management-places.ts';
import { Clock } from './lib/clock.ts';
import { FairQueue, type InTurn } from './lib/fair-queue.ts';
import type { Log } from './lib/log-events.ts';
import type { WriteLine } from './lib/logger.ts';
import { UnitOfWork } from './unit-of-work/unit-of-work.ts';
import { type ResolveHost, resolveByDns } from './webhooks/sending/checked-lookup.ts';

const URGENT_PLACES = 2;
const MANAGEMENT_BOUNDS = { maxWaitingEach: 128, maxWaiting: 1024, reason: 'management' } as const;
/** Of the places, for one group of callers. */
const GROUP_SHARE = 0.5;
/** The group of what this process does by itself. */
const BACKGROUND = { group: ' background' };

export interface ServiceOptions {
  config: Config;
  /** A migrated database. */
  databaseUrl: string;
  log: Logger;
  /** Milliseconds added to the clock; tests move time with it. */
  clockOffset?: () => number;
  /** Where the audit logs go with KEYWARD_AUDIT_STDOUT. */
  writeLine: WriteLine;
  /** How the hosts of webhooks are found. */
  resolveHost?: ResolveHost;
}

export type Kernel = Awaited<ReturnType<typeof createKernel>>;

/** What everything else stands on. */
export async function createKernel(
  {
    config,
    log: logger,
    clockOffset = () => 0,
    writeLine,
    resolveHost = resolveByDns,
  }: ServiceOptions,
  database: Database,
) {
  const log: Log = logger;
  const { orm } = database;
  const checksumKey = await readChecksumKey(orm);
  await deleteFutureRows(orm);
  const clock = new Clock(clockOffset);
  const fence = new Fence(database, clock);
  const { pepper } = config;
  const unitOfWork = new UnitOfWork(orm, clock, pepper);
  // Names this process in the numbers of its batches.
  const instance = randomUUID();
  const postgres = await readServerVersion(orm);
  const management = managementQueue(config);
  const inBackground: InTurn = (step) => management.queue.run(BACKGROUND, step);
  return {
    postgres,
    ...{ config, log, clockOffset, writeLine, resolveHost },
    ...{ database, orm, checksumKey, clock, fence, pepper, unitOfWork, instance },
    ...{ management, inBackground },
  };
}

/** Fewer places than connections, so that urgent calls find one; background jobs take places too. */
function managementQueue({ poolSize }: Config): ManagementQueue {
  const urgentPlaces = Math.min(URGENT_PLACES, poolSize - 1);
  const places = poolSize - urgentPlaces;
  const placesEach = Math.max(1, Math.floor(places * GROUP_SHARE));
  const queue = new FairQueue({ places, urgentPlaces, placesEach, ...MANAGEMENT_BOUNDS });
  return { places, queue };
}
