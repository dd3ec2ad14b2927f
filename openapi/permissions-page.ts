import { PERMISSIONS } from '../src/domain/caller.ts';
import { PLAN_FIELDS } from '../src/workspaces/plan.ts';

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
}

interface Answer {
  description?: string;
  content?: Record<string, { schema: Schema }>;
}

interface Operation {
  description?: string;
  security?: object[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, Answer>;
}

interface Document {
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

/** A call with the permission that it requires; null: none. */
export interface PermittedCall {
  name: string;
  permission: string | null;
  operation: Operation;
}

/** Every call under /v1 of the document. */
export function permittedCalls({ paths = {} }: Document): PermittedCall[] {
  return Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => {
        const [, permission = null] =
          /Requires the permission `([a-z:]+)`/.exec(operation.description ?? '') ?? [];
        return { name: `${method.toUpperCase()} ${path}`, permission, operation };
      }),
    );
}

/** The tables of docs/permissions.md: what each permission alone sees and may set, by call. */
export function permissionTables(document: Document): string {
  const calls = permittedCalls(document);
  const ofPermission = (permission: string | null) =>
    calls.filter((call) => call.permission === permission);
  const sections = [...PERMISSIONS, null].map((permission) =>
    [
      `### ${permission === null ? 'Without a permission' : `\`${permission}\``}`,
      '',
      '| call | answer | fields that it takes |',
      '| --- | --- | --- |',
      ...ofPermission(permission).map((call) => rowOf(call, document)),
      '',
    ].join('\n'),
  );
  return [...sections, '## What the answers show', '', ...shownFields(calls, document)].join('\n');
}

function rowOf({ name, operation }: PermittedCall, document: Document): string {
  const taken = fieldsOf(bodyOf(operation.requestBody), document).map((field) =>
    isPlanField(name, field) ? `\`${field}\` (all workspaces)` : `\`${field}\``,
  );
  return `| \`${name}\` | ${answerOf(operation)} | ${taken.join(', ')} |`;
}

function isPlanField(name: string, field: string): boolean {
  const plan: readonly string[] = PLAN_FIELDS;
  return name.includes('/v1/workspaces') && plan.includes(field);
}

/** What a caller with the one permission gets, and what the permission to read adds to it. */
function answerOf({ responses }: Operation): string {
  const successes = Object.entries(responses).filter(([status]) => status < '300');
  const shown = successes.map(([status, answer]) => `${status} ${schemaOf(answer) ?? ''}`.trim());
  const [, reading] =
    /without the permission `([a-z:]+)`/.exec(responses[204]?.description ?? '') ?? [];
  if (reading === undefined) return shown.join(', ');
  return `204; with \`${reading}\` ${shown.filter((one) => one !== '204').join(', ')}`;
}

function schemaOf(answer: Answer): string | null {
  const schema = bodyOf(answer);
  const name = schema?.$ref?.split('/').at(-1);
  return name === undefined ? null : `\`${name}\``;
}

function shownFields(calls: readonly PermittedCall[], document: Document): string[] {
  const answers = calls.flatMap(({ operation }) => Object.entries(operation.responses));
  const names = answers.flatMap(([status, answer]) =>
    status < '300' ? (schemaOf(answer)?.replaceAll('`', '') ?? []) : [],
  );
  const lines = [...new Set(names)].toSorted().map((name) => {
    const fields = fieldsOf({ $ref: `#/components/schemas/${name}` }, document);
    return `| \`${name}\` | ${fields.map((field) => `\`${field}\``).join(', ')} |`;
  });
  return ['| answer | fields |', '| --- | --- |', ...lines, ''];
}

function bodyOf(part: Pick<Answer, 'content'> | undefined): Schema | undefined {
  const { content = {} } = part ?? {};
  return (content['application/json'] ?? content['application/x-www-form-urlencoded'])?.schema;
}

function fieldsOf(schema: Schema | undefined, document: Document): string[] {
  const name = schema?.$ref?.split('/').at(-1);
  const found = name === undefined ? schema : document.components?.schemas?.[name];
  const own = Object.keys(found?.properties ?? {});
  const others = (found?.anyOf ?? []).flatMap((one) => fieldsOf(one, document));
  return [...new Set([...own, ...others])];
}
