import { AlertJob } from './alerts/job.ts';
import { deleteEndedAlerts } from './alerts/store.ts';
import { deleteOldBatchSequences } from './db/batch-sequences.ts';
import type { Orm } from './db/database.ts';
import { recordSecretUse } from './db/known-secrets.ts';
import { pruneFeed } from './freshness/feed-pruning.ts';
import type { Kernel } from './kernel.ts';
import { DeletedWorkspaces } from './keys/deleted-workspaces.ts';
import { PeriodicTask } from './lib/periodic-task.ts';
import { Housekeeping } from './retention/housekeeping.ts';
import { Retention } from './retention/jobs.ts';
import { deleteOldAnswers } from './unit-of-work/idempotency-store.ts';
import type { UsageFold } from './usage/fold.ts';

const FOLD_MS = 1000;
const MINUTE_MS = 60_000;

/** What an instance does by itself, at intervals. Every task that repeats is in the list of tasks. */
export function createBackground(kernel: Kernel, fold: UsageFold) {
  const { config, log, orm, clock, unitOfWork, inBackground: inTurn } = kernel;
  const kept = config.retention;
  const retention = new Retention({ orm, log, clock, fold, kept, inTurn });
  const alerts = new AlertJob({ orm, unitOfWork, log, clock, inTurn });
  const deleted = new DeletedWorkspaces(orm, unitOfWork, log, inTurn);
  const housekeeping = new Housekeeping({ orm, log, inTurn, jobs: housekeepingJobs(kernel) });
  const tasks = [
    new PeriodicTask((stopping) => fold.run(stopping), FOLD_MS),
    new PeriodicTask((stopping) => housekeeping.run(stopping), MINUTE_MS),
    new PeriodicTask((stopping) => deleted.endKeys(stopping), MINUTE_MS),
    new PeriodicTask((stopping) => retention.run(stopping), MINUTE_MS),
    new PeriodicTask((stopping) => alerts.run(stopping), MINUTE_MS),
  ];
  return { retention, alerts, tasks };
}

/** They delete what has served its purpose, and show which secret is in use. */
function housekeepingJobs({ config, pepper }: Kernel): ((orm: Orm) => Promise<unknown>)[] {
  return [
    (orm) => deleteEndedAlerts(orm, config.deliveriesKeptDays),
    ...[pruneFeed, deleteOldBatchSequences, deleteOldAnswers],
    ...(pepper ? [(orm: Orm) => recordSecretUse(orm, pepper.id)] : []),
  ];
}
