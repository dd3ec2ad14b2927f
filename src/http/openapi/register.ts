import swagger from '@fastify/swagger';
import { packageVersion } from '../../lib/package-version.ts';
import type { App } from '../app-type.ts';
import { completeDocument } from './document.ts';
import { errorCodesOf } from './errors.ts';
import { documentPages } from './pages.ts';

const DESCRIPTION = `Keyward issues, verifies, meters and revokes API keys for other backend services.

All calls but the health checks and reports of leaks need a management key: \`Authorization: Bearer <management key>\`.
Errors are \`application/problem+json\` with a stable \`code\`; \`x-error-codes\` lists those of each
call. What is not HTTP, too large, too late or of no known route is refused before any call is found:
MALFORMED_HTTP, EXPECTATION_FAILED, HEADERS_TOO_LARGE, REQUEST_TIMEOUT, ROUTE_NOT_FOUND,
METHOD_NOT_ALLOWED. Every call takes an \`X-Request-Id\` and gives it back. Lists of known values may
grow: treat an unknown verdict as not valid.`;

/** The OpenAPI document, made from the route schemas: served, browsable at /docs, and committed. */
export async function registerOpenApi(app: App, webhooks: object): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Keyward',
        version: packageVersion(),
        description: DESCRIPTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'The Keyward that serves this document' }],
      tags: [
        { name: 'Verification', description: 'Called by your services on every request.' },
        { name: 'Keys', description: 'Called by your dashboards.' },
        { name: 'Workspaces', description: 'Tenants that own keys.' },
        {
          name: 'Management keys',
          description: 'Credentials for calling Keyward itself.',
        },
        { name: 'Usage', description: 'Exact counts of verifications.' },
        { name: 'Alerts', description: 'What someone should know: once for its cause.' },
        { name: 'Webhooks', description: 'Where events are sent, and what became of them.' },
        { name: 'Audit', description: 'Who changed what, when, and on whose behalf.' },
        { name: 'Events', description: 'What Keyward calls your webhooks with.' },
        { name: 'Leaks', description: 'Called by those who find keys where they should not be.' },
        { name: 'Health', description: 'For load balancers and orchestrators.' },
      ],
      components: {
        securitySchemes: {
          managementKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'Management key, such as the root key.',
          },
          managementKeyAsPassword: {
            type: 'http',
            scheme: 'basic',
            description: 'Any user name, and a management key as the password.',
          },
          gatewayKey: {
            type: 'apiKey',
            in: 'header',
            name: 'X-Keyward-Authorization',
            description: 'Management key of a gateway: `Bearer <management key>`.',
          },
          metricsToken: {
            type: 'http',
            scheme: 'bearer',
            description: 'The token that `KEYWARD_METRICS_TOKEN` sets.',
          },
          presentedKey: {
            type: 'http',
            scheme: 'bearer',
            description: "The caller's own key: a customer's or a management key.",
          },
        },
      },
      security: [{ managementKey: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `schema${index}`,
    },
    transform: ({ schema, url, route }) => {
      if (!schema) return { schema, url };
      const codes = errorCodesOf(route);
      const permission = route.config?.permission;
      const needs = permission ? ` Requires the permission \`${permission}\`.` : '';
      const description = `${schema.description ?? ''}${needs}`.trim();
      const described = { ...schema, ...(description && { description }) };
      return { schema: codes ? { ...described, 'x-error-codes': codes } : described, url };
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      completeDocument(document.openapiObject, webhooks);
      return document.openapiObject;
    },
  });
  documentPages(app);
}
