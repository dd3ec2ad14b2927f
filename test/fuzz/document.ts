import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** The part of JSON Schema that the document uses for requests. */
export interface Schema {
  type?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  format?: string;
  examples?: unknown[];
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  maxLength?: number;
  items?: Schema;
  required?: string[];
  properties?: Record<string, Schema>;
}

export interface Parameter {
  in: string;
  name: string;
  required?: boolean;
  schema: Schema;
  example?: unknown;
}

interface Described {
  operationId: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, object> }>;
}

interface WithCode {
  properties: { code: { description: string } };
}

export interface OpenApi {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: { Problem: WithCode; VerifyAnswer: WithCode } };
}

export interface Operation {
  id: string;
  method: string;
  /** With `{parameters}`. */
  path: string;
  parameters: Parameter[];
  body: Schema | null;
  /** By status: the schema of the answer; null if it has no JSON body. */
  responses: Map<number, ValidateFunction | null>;
}

const ROOT = 'openapi';

/** Every operation of the document, with validators for its answers. */
export function operationsOf(document: OpenApi): Operation[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, ROOT);
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, described]) => ({
      id: described.operationId,
      method: method.toUpperCase(),
      path,
      parameters: described.parameters ?? [],
      body: described.requestBody?.content['application/json']?.schema ?? null,
      responses: new Map(
        Object.entries(described.responses).map(([status, { content = {} }]) => [
          Number(status),
          checkOf(ajv, ['paths', path, method, 'responses', status], Object.keys(content)),
        ]),
      ),
    })),
  );
}

function checkOf(ajv: Ajv2020, place: string[], types: string[]): ValidateFunction | null {
  const type = types.find((name) => /json$/.test(name));
  if (type === undefined) return null;
  const steps = [...place, 'content', type, 'schema'].map(escaped).join('/');
  return ajv.compile({ $ref: `${ROOT}#/${steps}` });
}

function escaped(step: string): string {
  return encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** The codes that the document lists for errors and for verdicts, which gateways get as errors. */
export function knownCodes({ components: { schemas } }: OpenApi) {
  const codesIn = ({ properties }: WithCode) =>
    new Set(properties.code.description.match(/\b[A-Z]+(_[A-Z]+)*\b/g));
  return { errors: codesIn(schemas.Problem), verdicts: codesIn(schemas.VerifyAnswer) };
}
