import { AlertJob } from './alerts/job.ts';
import { deleteEndedAlerts, endFormerAlerts } from './alerts/store.ts';
import { deleteOldBatchSequences } from './db/batch-sequences.ts';
import type { Orm } from './db/database.ts';
import { recordSecretUse } from './db/known-secrets.ts';
import { pruneFeed } from './freshness/feed-pruning.ts';
import { IdlePolicyJob } from './idle-policy/job.ts';
import type { Kernel } from './kernel.ts';
import { DeletedWorkspaces } from './keys/deleted-workspaces.ts';
import { PeriodicTask } from './lib/periodic-task.ts';
import { Housekeeping } from './retention/housekeeping.ts';
import { Retention } from './retention/jobs.ts';
import { deleteOldAnswers } from './unit-of-work/idempotency-store.ts';
import type { UsageFold } from './usage/fold.ts';
import { deleteDeliveriesOfEnded } from './webhooks/deliveries/store.ts';
import { disableIfOver } from './webhooks/sending/disabling.ts';
import { Dispatcher } from './webhooks/sending/dispatcher.ts';
import { HttpSender } from './webhooks/sending/http-sender.ts';
import { deleteOldDeliveries } from './webhooks/sending/old-deliveries.ts';
import { Transport } from './webhooks/sending/transport.ts';
import { makeUnblockedDue } from './webhooks/sending/unblocked.ts';
import { switchStdoutExport } from './webhooks/store.ts';

const FOLD_MS = 1000;
const MINUTE_MS = 60_000;
const DELIVERY_MS = 500;
/** Of an attempt to deliver an event: lookup, connection and answer. */
const ATTEMPT_MS = 10_000;

export type Background = Awaited<ReturnType<typeof createBackground>>;

/** What an instance does by itself, at intervals. Every task that repeats is in the list of tasks. */
export async function createBackground(kernel: Kernel, fold: UsageFold) {
  const { config, log, orm, clock, unitOfWork, inBackground: inTurn } = kernel;
  const kept = config.retention;
  const retention = new Retention({ orm, log, clock, fold, kept, inTurn });
  const alerts = new AlertJob({ orm, unitOfWork, log, clock, inTurn });
  const idlePolicy = new IdlePolicyJob({ orm, unitOfWork, log, fold, inTurn });
  const deleted = new DeletedWorkspaces(orm, unitOfWork, log, inTurn);
  const deliveries = await createDeliveries(kernel);
  const jobs = housekeepingJobs(kernel, deliveries);
  const housekeeping = new Housekeeping({ orm, log, inTurn, jobs });
  const tasks = [
    new PeriodicTask((stopping) => fold.run(stopping), FOLD_MS),
    new PeriodicTask(() => deliveries.run(), DELIVERY_MS),
    new PeriodicTask((stopping) => housekeeping.run(stopping), MINUTE_MS),
    new PeriodicTask((stopping) => deleted.endKeys(stopping), MINUTE_MS),
    new PeriodicTask((stopping) => retention.run(stopping), MINUTE_MS),
    new PeriodicTask((stopping) => alerts.run(stopping), MINUTE_MS),
    new PeriodicTask((stopping) => idlePolicy.run(stopping), 10 * MINUTE_MS),
  ];
  return { retention, alerts, idlePolicy, deliveries, tasks };
}

/** Sends events to webhooks, and to stdout where that is set. */
async function createDeliveries(kernel: Kernel): Promise<Dispatcher> {
  const { config, log, orm, clock, pepper, unitOfWork, inBackground: inTurn } = kernel;
  const { webhookNetworks: networks, auditToStdout: writesStdout } = config;
  await switchStdoutExport(orm, writesStdout, clock.date());
  const timeoutMs = ATTEMPT_MS;
  const sender = new HttpSender({ networks, resolve: kernel.resolveHost, timeoutMs });
  const transport = new Transport({ pepper, sender, writeLine: kernel.writeLine, timeoutMs });
  return new Dispatcher({
    ...{ orm, clock, log, inTurn, writesStdout },
    attempt: (claim, at, stopping) => transport.send(claim, at, stopping),
    onFailure: (claim, outcome, at) => inTurn(() => disableIfOver(unitOfWork, claim, outcome, at)),
  });
}

/** They delete what has served its purpose, and show which secret is in use. */
function housekeepingJobs(
  { config, clock, pepper }: Kernel,
  deliveries: Dispatcher,
): ((orm: Orm) => Promise<unknown>)[] {
  return [
    (orm) => deleteOldDeliveries(orm, clock.now(), config.deliveriesKeptDays),
    (orm) => deleteEndedAlerts(orm, clock.now(), config.deliveriesKeptDays),
    (orm) => endFormerAlerts(orm, clock.date()),
    (orm) => makeUnblockedDue(orm, clock.now()),
    (orm) => deliveries.measure(orm),
    ...[deleteDeliveriesOfEnded, pruneFeed, deleteOldBatchSequences, deleteOldAnswers],
    ...(pepper ? [(orm: Orm) => recordSecretUse(orm, pepper.id)] : []),
  ];
}
