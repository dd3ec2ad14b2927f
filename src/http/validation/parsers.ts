import type { Static, TSchema } from 'typebox';
import type { FieldError } from '../../errors.ts';
import { toFieldErrors } from './field-errors.ts';
import { FaultyItem } from './list-items.ts';
import { valueValidator } from './validators.ts';

/** Checks a value as a body is checked; the pointers of its errors begin at the value. */
export function validatorOf(schema: TSchema): (value: unknown) => FieldError[] {
  const failuresOf = valueValidator(schema);
  return (value) => toFieldErrors(failuresOf(value), '');
}

/** The same check as a type guard. */
export function guardOf<Schema extends TSchema>(schema: Schema) {
  const errorsOf = validatorOf(schema);
  return (value: unknown): value is Static<Schema> => errorsOf(value).length === 0;
}

/** A value of this type, or what is wrong with it. */
export type Parsed<T> = { value: T } | { errors: FieldError[] };

/** Parses a value by its schema, for items of a list that are answered one by one. */
export function parserOf<Schema extends TSchema>(
  schema: Schema,
): (value: unknown) => Parsed<Static<Schema>> {
  const errorsOf = validatorOf(schema);
  return (value) => {
    if (value instanceof FaultyItem) return { errors: value.errors };
    let errors: FieldError[] = [];
    const isValid = (it: unknown): it is Static<Schema> => {
      errors = errorsOf(it);
      return errors.length === 0;
    };
    return isValid(value) ? { value } : { errors };
  };
}
