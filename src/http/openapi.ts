import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { packageVersion } from '../lib/package-version.ts';
import type { App } from './app-type.ts';

const DESCRIPTION = `Keyward issues, verifies, meters and revokes API keys for other backend services.

All calls but the health checks need a management key: \`Authorization: Bearer <management key>\`.
Errors are \`application/problem+json\` with a stable \`code\`. Lists of known values may grow: treat
an unknown verdict as not valid.`;

/** The OpenAPI document, made from the route schemas: served, browsable at /docs, and committed. */
export async function registerOpenApi(app: App): Promise<void> {
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
        { name: 'Audit', description: 'Who changed what, when, and on whose behalf.' },
        { name: 'Health', description: 'For load balancers and orchestrators.' },
      ],
      components: {
        securitySchemes: {
          managementKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'Management key, such as the root key.',
          },
          gatewayKey: {
            type: 'apiKey',
            in: 'header',
            name: 'X-Keyward-Authorization',
            description: 'Management key of a gateway: `Bearer <management key>`.',
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
      const permission = route.config?.permission;
      if (!schema || !permission) return { schema, url };
      const needs = `Requires the permission \`${permission}\`.`;
      return { schema: { ...schema, description: `${schema.description ?? ''} ${needs}` }, url };
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      for (const path of Object.values(document.openapiObject.paths ?? {})) {
        relaxBody(path?.post);
        relaxBody(path?.put);
        relaxBody(path?.patch);
      }
      return document.openapiObject;
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

interface Operation {
  requestBody?: { required?: boolean; content?: Record<string, { schema?: object }> } | object;
}

/** A body without required fields is optional; the plugin declares every body as required. */
function relaxBody({ requestBody: body }: Operation = {}): void {
  if (!body || !('content' in body) || !body.content) return;
  const schema = body.content['application/json']?.schema;
  if (schema && !('$ref' in schema || 'required' in schema)) body.required = false;
}
