import { Ajv2020 } from 'ajv/dist/2020.js';
import pg from 'pg';
import { openapiDocument } from '../../openapi/document.ts';
import { AUDIT_ACTIONS } from '../../src/audit/actions.ts';
import type { Json } from '../../src/domain/json.ts';

interface Operation {
  requestBody: { content: Record<string, { schema: { $ref: string } }> };
}

const document: {
  webhooks?: Record<string, { post: Operation }>;
  components?: { schemas: Record<string, object> };
} = {
  ...(await openapiDocument()),
};
// Formats and examples are for readers; types, fields and values are what is held against events here.
const ajv = new Ajv2020({ strict: false, validateFormats: false });
const schemas = Object.entries(document.components?.schemas ?? {}).map(([name, schema]) => [
  name,
  // Receivers must take fields that they do not know; those that are sent now must be documented.
  name.endsWith('Change') ? { ...schema, additionalProperties: false } : schema,
]);
ajv.addSchema({ $id: 'openapi', components: { schemas: Object.fromEntries(schemas) } });

const NEWEST = `
  select payload, hash from (
    select payload, hash, row_number() over (partition by action order by time desc) as place
      from audit_events where action is not null and payload like '%"requestId"%') as entries
   where place <= 5`;

/** How an event differs from the schema that the document has of its type; empty: it does not. */
function differencesOf(event: { type: string } & Record<string, Json>): string[] {
  const { type } = event;
  const schema = document.webhooks?.[type]?.post.requestBody.content['application/json']?.schema;
  if (!schema) return [`the document has no event ${type}`];
  const validate = ajv.compile<unknown>({ $ref: `openapi${schema.$ref}` });
  validate(event);
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${type}${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** Of the newest entries with each action in a database: how they differ from what the document says. */
export async function undocumentedEvents(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ payload: string; hash: string }>(NEWEST);
    return rows.flatMap(({ payload, hash }) => {
      const data = JSON.parse(payload);
      // Someone else has written it.
      if (!AUDIT_ACTIONS.includes(data.action)) return [];
      return differencesOf({ type: data.action, timestamp: data.time, data, hash });
    });
  } finally {
    await client.end();
  }
}
