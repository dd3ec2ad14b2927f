import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { answers, ref, WorkspaceQuery } from '../http/schemas.ts';
import { AuditEvent, AuditEventPage, AuditHead, ListAuditEvents } from './schemas.ts';
import type { AuditService } from './service.ts';

export function auditRoutes(app: App, audit: AuditService): void {
  app.addSchema(AuditEvent);
  app.addSchema(AuditEventPage);
  app.addSchema(AuditHead);
  app.get(
    '/v1/audit-events',
    {
      config: { permission: 'audit:read' },
      schema: {
        operationId: 'listAuditEvents',
        tags: ['Audit'],
        summary: 'List audit events',
        description:
          'Every change, with who made it, newest first; of every workspace by time, and of one in the order ' +
          'of its log. Management keys for all workspaces are in the log of `default`; a caller that is ' +
          'bound to it sees those of its own workspace alone.',
        querystring: ListAuditEvents,
        response: answers({ 200: ref(AuditEventPage) }, 'NOT_FOUND', 'QUERY_TOO_BROAD'),
      },
    },
    (request) => audit.list(getCallContext(request), request.query),
  );
  app.get(
    '/v1/audit-events/head',
    {
      config: { permission: 'audit:read' },
      schema: {
        operationId: 'getAuditHead',
        tags: ['Audit'],
        summary: 'Get the head of the audit log',
        description:
          'The newest link of the hash chain. Kept elsewhere, it tells later whether anything up to it ' +
          'was changed or cut: `keyward audit verify --expect WORKSPACE:SEQUENCE:HASH`.',
        querystring: WorkspaceQuery,
        response: answers({ 200: ref(AuditHead) }, 'NOT_FOUND'),
      },
    },
    (request) => audit.head(getCallContext(request), request.query),
  );
}
