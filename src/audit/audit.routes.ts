import type { App } from '../http/app-type.ts';
import { callOf } from '../http/call.ts';
import { answers, ref } from '../http/schemas.ts';
import { AuditEvent, AuditEventPage, ListAuditEvents } from './audit.schemas.ts';
import type { AuditService } from './audit.service.ts';

export function auditRoutes(app: App, audit: AuditService): void {
  app.addSchema(AuditEvent);
  app.addSchema(AuditEventPage);
  app.get(
    '/v1/audit-events',
    {
      config: { permission: 'audit:read' },
      schema: {
        operationId: 'listAuditEvents',
        tags: ['Audit'],
        summary: 'List changes',
        description: 'Every change with who made it, newest first.',
        querystring: ListAuditEvents,
        response: answers({ 200: ref(AuditEventPage) }),
      },
    },
    (request) => audit.list(callOf(request), request.query),
  );
}
