import { AlertService } from './alerts/service.ts';
import { AuditService } from './audit/service.ts';
import { ConsoleGate } from './console/gate.ts';
import { createLocalKey } from './console/local-key.ts';
import { Sessions } from './console/sessions.ts';
import { SignInLink } from './console/sign-in-link.ts';
import type { Credentials } from './data-plane.ts';
import { KeyDetector } from './http/key-detector.ts';
import type { Kernel } from './kernel.ts';
import { BulkRevokeService } from './keys/bulk-revoke/service.ts';
import { CreditsService } from './keys/credits/service.ts';
import { ExplainService } from './keys/explain/service.ts';
import { FindService } from './keys/find/service.ts';
import { ImportService } from './keys/import/service.ts';
import { ListingService } from './keys/listing/service.ts';
import { RotationService } from './keys/rotation/service.ts';
import { KeyService } from './keys/service.ts';
import { countKeys, endKeysOfWorkspace, hasKeys } from './keys/store.ts';
import { GithubKeys } from './leaks/github-keys.ts';
import { LeakHandler } from './leaks/handler.ts';
import { Leaks } from './leaks/leaks.ts';
import { LeakQueue } from './leaks/queue.ts';
import { LeakResponse } from './leaks/response.ts';
import { ManagementService } from './management/service.ts';
import { revokeManagementKeysOfWorkspace } from './management/store.ts';
import { OwnerService } from './owners/service.ts';
import { HygieneService } from './reports/hygiene/service.ts';
import { IdleKeysService } from './reports/idle-keys/service.ts';
import { UsageQueryService } from './usage/query/service.ts';
import { UsageService } from './usage/service.ts';
import { DeliveriesService } from './webhooks/deliveries/service.ts';
import { WebhookService } from './webhooks/service.ts';
import { deleteWebhooksOfWorkspace } from './webhooks/store.ts';
import { WorkspaceService } from './workspaces/service.ts';

type ControlPlane = ReturnType<typeof createControlPlane>;

/** Manages keys, workspaces and management keys, and shows what became of them. */
export function createControlPlane(
  { config, orm, clock, unitOfWork, management, pepper }: Kernel,
  { issuer, resolver, rootKey }: Credentials,
) {
  const { retention } = config;
  return {
    keys: {
      keys: new KeyService({ orm, unitOfWork, issuer, clock }),
      listing: new ListingService({ orm, clock }),
      rotation: new RotationService({ orm, unitOfWork, issuer, clock }),
      credits: new CreditsService(unitOfWork),
      explain: new ExplainService({ orm, clock }),
      finding: new FindService({ orm, resolver, clock }),
      imports: new ImportService(unitOfWork, rootKey),
      bulkRevoke: new BulkRevokeService(orm, unitOfWork),
    },
    owners: new OwnerService(orm, unitOfWork),
    workspaces: new WorkspaceService({
      orm,
      unitOfWork,
      countKeys: ({ tx }, id) => countKeys(tx, id),
      endSomeKeys: ({ tx, at }, id, by) => endKeysOfWorkspace(tx, id, by, at),
      hasKeys: ({ tx }, id) => hasKeys(tx, id),
      endManagementKeys: ({ tx, at }, id, by) => revokeManagementKeysOfWorkspace(tx, id, by, at),
      endWebhooks: ({ tx, at }, id) => deleteWebhooksOfWorkspace(tx, id, at),
    }),
    managementKeys: new ManagementService({ orm, unitOfWork, issuer, clock }),
    webhooks: new WebhookService({
      ...{ orm, unitOfWork, clock },
      sealingKey: pepper?.webhookKey ?? null,
      networks: config.webhookNetworks,
    }),
    deliveries: new DeliveriesService(orm, unitOfWork),
    usage: new UsageService(orm, clock, retention),
    usageQuery: new UsageQueryService({
      ...{ orm, clock, retention },
      inTurn: (group, read) => management.queue.run({ group, rests: true }, read),
    }),
    hygiene: new HygieneService(orm, clock),
    idleKeys: new IdleKeysService(orm, clock),
    audit: new AuditService(orm),
    alerts: new AlertService(orm, unitOfWork),
  };
}

/** Takes reports of leaked keys, and ends these. */
export function createLeaks(kernel: Kernel, { issuer, resolver, rootKey }: Credentials): Leaks {
  const { config, log, orm, clock, unitOfWork, checksumKey, inBackground } = kernel;
  const now = () => clock.now();
  const response = new LeakResponse({ orm, unitOfWork, issuer });
  const detector = new KeyDetector(checksumKey, rootKey);
  const handler = new LeakHandler({
    ...{ resolver, rootKey, detector, response, inBackground, log, now },
  });
  const queue = new LeakQueue(handler, log);
  return new Leaks(config.leakReports, queue, new GithubKeys(config.githubKeysUrl, now, log));
}

/** The page on which people manage keys, and its sessions. */
export function createConsole({ clock, pepper }: Kernel, { managementKeys }: ControlPlane) {
  const now = () => clock.now();
  const sessions = new Sessions(pepper?.sessionKey ?? null, now);
  const makeKey = () =>
    createLocalKey((call, input) => managementKeys.create(call, input), clock.now());
  const link = new SignInLink(makeKey, now);
  return { sessions, gate: new ConsoleGate(sessions), link };
}
