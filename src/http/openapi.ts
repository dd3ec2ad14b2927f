import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { packageVersion } from '../lib/package-version.ts';
import type { App } from './app-type.ts';

const DESCRIPTION = `Keyward issues, verifies, meters and revokes API keys for other backend services.

All calls but the health checks need a management key: \`Authorization: Bearer <management key>\`.
Errors are \`application/problem+json\` with a stable \`code\`. Lists of known values may grow: treat a
verdict that you do not know as not valid.`;

/** The OpenAPI document comes from the route schemas; it is served, browsable, and committed. */
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
      servers: [{ url: 'http://127.0.0.1:8080', description: 'A local Keyward' }],
      tags: [
        { name: 'Verification', description: 'What your services call on every request.' },
        { name: 'Keys', description: 'What your dashboards call.' },
        { name: 'Workspaces', description: 'The tenants that own keys.' },
        {
          name: 'Management keys',
          description: 'What callers authenticate to Keyward with.',
        },
        { name: 'Usage', description: 'How keys are used.' },
        { name: 'Audit', description: 'Who changed what.' },
        { name: 'Health', description: 'For load balancers and orchestrators.' },
      ],
      components: {
        securitySchemes: {
          managementKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'A management key, such as the root key.',
          },
          gatewayKey: {
            type: 'apiKey',
            in: 'header',
            name: 'X-Keyward-Authorization',
            description: 'A management key of a gateway: `Bearer <management key>`.',
          },
          presentedKey: {
            type: 'http',
            scheme: 'bearer',
            description: "The holder's own key: a customer's or a management key.",
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
      const needs = `Needs the permission \`${permission}\`.`;
      return { schema: { ...schema, description: `${schema.description ?? ''} ${needs}` }, url };
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      for (const path of Object.values(document.openapiObject.paths ?? {})) {
        relaxBody(path?.post);
        relaxBody(path?.put);
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

/** A body without a required field may be left out; the plugin calls every body required. */
function relaxBody({ requestBody: body }: Operation = {}): void {
  if (!body || !('content' in body) || !body.content) return;
  const schema = body.content['application/json']?.schema;
  if (schema && !('$ref' in schema || 'required' in schema)) body.required = false;
}
