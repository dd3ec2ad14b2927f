import { Type } from 'typebox';
import type { App } from '../http/app-type.ts';
import { getCallContext } from '../http/auth-hooks.ts';
import { answerNotModified } from '../http/conditional-read.ts';
import { sendChanged, sendDone, sendResult } from '../http/reply.ts';
import { answers, Reason, ref, unshown } from '../http/schemas.ts';
import { PLAN_FIELDS } from './plan.ts';
import {
  ListWorkspaces,
  Workspace,
  WorkspaceInput,
  WorkspacePage,
  WorkspacePath,
} from './schemas.ts';
import type { WorkspaceService } from './service.ts';

const read = { config: { permission: 'workspaces:read' } } as const;
const write = { config: { permission: 'workspaces:write' } } as const;
const urgent = { config: { ...write.config, urgent: true } } as const;
const tags = ['Workspaces'];
const params = WorkspacePath;
const SHOWN = 'workspaces:read';
const changed = { 200: ref(Workspace), 204: unshown(SHOWN) };

export function workspaceRoutes(app: App, workspaces: WorkspaceService): void {
  app.addSchema(Workspace);
  app.addSchema(WorkspacePage);

  app.get(
    '/v1/workspaces',
    {
      ...read,
      schema: {
        operationId: 'listWorkspaces',
        tags,
        summary: 'List workspaces',
        querystring: ListWorkspaces,
        response: answers({ 200: ref(WorkspacePage) }),
      },
    },
    (request) => workspaces.list(getCallContext(request), request.query),
  );

  app.get(
    '/v1/workspaces/:id',
    {
      ...read,
      onSend: answerNotModified,
      schema: {
        operationId: 'getWorkspace',
        tags,
        summary: 'Get a workspace',
        params,
        response: answers({ 200: ref(Workspace) }, 'NOT_FOUND'),
      },
    },
    async (request, reply) =>
      sendResult(reply, await workspaces.get(getCallContext(request), request.params.id)),
  );

  app.put(
    '/v1/workspaces/:id',
    {
      ...write,
      schema: {
        operationId: 'putWorkspace',
        tags,
        summary: 'Create or replace a workspace',
        description:
          'Provisioning that can be repeated: fields that are left out get their defaults; the plan ' +
          `(${PLAN_FIELDS.map((name) => `\`${name}\``).join(', ')}) ` +
          'is kept where the caller is bound to the workspace. The id is ' +
          'your own. A deleted workspace can be made again, with nothing of what it had, once all its ' +
          'keys have ended (409 WORKSPACE_DELETION_UNDER_WAY before).',
        params,
        body: WorkspaceInput,
        response: answers(
          { ...changed, 201: ref(Workspace) },
          'NOT_FOUND',
          'WORKSPACE_DELETION_UNDER_WAY',
          'PRECONDITION_FAILED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const call = getCallContext(request);
      const result = await workspaces.put(call, id, request.body ?? {});
      reply.status(result.created ? 201 : 200);
      return sendChanged(reply, call, SHOWN, result);
    },
  );

  app.patch(
    '/v1/workspaces/:id',
    {
      ...write,
      schema: {
        operationId: 'updateWorkspace',
        tags,
        summary: 'Change a workspace',
        description: 'A merge patch: fields that are left out stay, null clears, lists replace.',
        params,
        body: WorkspaceInput,
        response: answers(
          { ...changed },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'AUDIT_LIMIT_REACHED',
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const call = getCallContext(request);
      const patched = await workspaces.patch(call, id, request.body ?? {});
      return sendChanged(reply, call, SHOWN, patched);
    },
  );

  app.post(
    '/v1/workspaces/:id/suspend',
    {
      ...urgent,
      schema: {
        operationId: 'suspendWorkspace',
        tags,
        summary: 'Suspend a workspace',
        description:
          'None of its keys is valid, and its management keys only read and verify, until it is resumed. ' +
          'In force everywhere once answered.',
        params,
        body: Reason,
        response: answers({ ...changed }, 'NOT_FOUND', 'PRECONDITION_FAILED'),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const call = getCallContext(request);
      const suspended = await workspaces.suspend(call, id, request.body ?? {});
      return sendChanged(reply, call, SHOWN, suspended);
    },
  );

  app.post(
    '/v1/workspaces/:id/resume',
    {
      ...write,
      schema: {
        operationId: 'resumeWorkspace',
        tags,
        summary: 'Resume a workspace',
        description: 'For callers that are bound to no workspace.',
        params,
        body: Reason,
        response: answers({ ...changed }, 'NOT_FOUND', 'PRECONDITION_FAILED'),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const call = getCallContext(request);
      const resumed = await workspaces.resume(call, id, request.body ?? {});
      return sendChanged(reply, call, SHOWN, resumed);
    },
  );

  app.delete(
    '/v1/workspaces/:id',
    {
      ...urgent,
      schema: {
        operationId: 'deleteWorkspace',
        tags,
        summary: 'Delete a workspace',
        description:
          'Its keys, management keys and webhooks end at once; usage and audit entries stay. ' +
          '`default` cannot be deleted.',
        params,
        response: answers(
          { 204: Type.Null({ description: 'The workspace is deleted.' }) },
          'NOT_FOUND',
          'PRECONDITION_FAILED',
          'DEFAULT_WORKSPACE',
        ),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      return sendDone(reply, await workspaces.delete(getCallContext(request), id));
    },
  );
}
