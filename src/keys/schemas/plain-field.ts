import { type Static, type TSchema, type TSchemaOptions, Type } from 'typebox';
import type { Json } from '../../domain/json.ts';
import { nullable } from '../../http/schemas.ts';

/** A field that is stored and shown as it was given, in each of the schemas that it is part of. */
export interface PlainField {
  create: TSchema;
  patch: TSchema;
  answer: TSchema;
  /** What a new key has if the field is left out; undefined: it must be given. */
  initial: Json | undefined;
}

/** Must be given when a key is created. */
export function required<Schema extends TSchema>(schema: Schema) {
  const answer = withoutLimits(schema);
  return { create: schema, patch: Type.Optional(schema), answer, initial: undefined };
}

/** Has a default. */
export function optional<Schema extends TSchema>(schema: Schema, initial: Static<Schema> & Json) {
  const create = Type.Optional(withDefaultText(schema, initial));
  return { create, patch: Type.Optional(schema), answer: withoutLimits(schema), initial };
}

/** Null until it is given; null in a patch clears it. */
export function clearable<Schema extends TSchema>(schema: Schema) {
  return {
    create: Type.Optional(nullable(withDefaultText(schema, null))),
    patch: Type.Optional(nullable(schema)),
    answer: nullable(withoutLimits(schema)),
    initial: null,
  };
}

/** One column of the table of fields: what each of them is in a creation, a patch or an answer. */
export function variant<Fields extends Record<string, PlainField>, Name extends keyof PlainField>(
  fields: Fields,
  name: Name,
): { [Field in keyof Fields]: Fields[Field][Name] };
export function variant(fields: Record<string, PlainField>, name: keyof PlainField): object {
  return mapValues(fields, (field) => field[name]);
}

function withDefaultText<Schema extends TSchema>(schema: Schema, initial: Json) {
  const description = `${descriptionOf(schema)} Default: ${JSON.stringify(initial)}.`;
  return Type.Unsafe<Static<Schema>>({ ...schema, description });
}

function descriptionOf(schema: TSchema): string {
  const { description = '' }: TSchemaOptions = { ...schema };
  return description;
}

const LIMITS = new Set(['format', 'pattern', 'maxLength', 'minLength', 'maxItems', 'uniqueItems']);

/** Answers promise no limits: a later version may have others. */
function withoutLimits<Schema extends TSchema>(schema: Schema) {
  return Type.Unsafe<Static<Schema>>(copyWithoutLimits(schema));
}

function copyWithoutLimits(schema: object): object {
  const kept = Object.entries(schema).filter(([name]) => !LIMITS.has(name));
  return mapValues(Object.fromEntries(kept), (value, name) =>
    name === 'items' && typeof value === 'object' ? copyWithoutLimits(value) : value,
  );
}

function mapValues<Value, Result>(
  record: Record<string, Value>,
  map: (value: Value, name: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, map(value, name)]),
  );
}
