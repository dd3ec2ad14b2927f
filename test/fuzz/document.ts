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
  'x-error-codes'?: string[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { $ref?: string; content?: Record<string, object> }>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Described>>;
  components: {
    schemas: { ErrorCode: { enum: string[] }; VerdictCode: { enum: string[] } };
    responses: Record<string, { content?: Record<string, object> }>;
  };
}

export interface Operation {
  id: string;
  method: string;
  /** With `{parameters}`. */
  path: string;
  parameters: Parameter[];
  body: Schema | null;
  /** JSON or a form. */
  bodyType: string;
  /** The codes of its errors; null if the document lists none. */
  codes: ReadonlySet<string> | null;
  /** By status: the schema of the answer; null if it has no JSON body. */
  responses: Map<number, ValidateFunction | null>;
}

const ROOT = 'openapi';

/** Every operation of the document, with validators for its answers. */
export function operationsOf(document: OpenApi): Operation[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, ROOT);
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, described]) => {
      const { parameters = [], requestBody }: Described = JSON.parse(resolved(document, described));
      const { operationId, 'x-error-codes': codes, responses } = described;
      const [[bodyType, content] = ['application/json']] = Object.entries(
        requestBody?.content ?? {},
      );
      return {
        id: operationId,
        method: method.toUpperCase(),
        path,
        parameters,
        body: content?.schema ?? null,
        bodyType,
        codes: codes ? new Set(codes) : null,
        responses: new Map(
          Object.entries(responses).map(([status, { $ref, content }]) => {
            const place = $ref?.slice(2).split('/') ?? ['paths', path, method, 'responses', status];
            const shared = document.components.responses[place.at(-1) ?? ''];
            const types = Object.keys(content ?? ($ref ? shared?.content : null) ?? {});
            return [Number(status), checkOf(ajv, place, types)];
          }),
        ),
      };
    }),
  );
}

/** The text of a part of the document, with what it refers to in the place of each reference. */
function resolved(document: object, part: unknown): string {
  return JSON.stringify(part, (_name, value) => {
    const ref: unknown = typeof value === 'object' ? value?.$ref : undefined;
    if (typeof ref !== 'string') return value;
    const steps = ref.slice(2).split('/');
    const target = steps.reduce<unknown>((inner, step) => Object(inner)[step], document);
    return JSON.parse(resolved(document, target));
  });
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
  return { errors: new Set(schemas.ErrorCode.enum), verdicts: new Set(schemas.VerdictCode.enum) };
}
