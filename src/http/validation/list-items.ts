import type { TSchema } from 'typebox';
import type { FieldError } from '../../errors.ts';
import { findStructureFault } from './json-structure.ts';
import { bodyValidator, textValidator } from './validators.ts';

/**
 * Validates the body of a list-shaped call without the items of its list, so that the call can
 * answer each of them on its own.
 */
export function envelopeCompiler(schema: TSchema, list: string) {
  const { properties }: { properties?: Record<string, object> } = { ...schema };
  const envelope = {
    ...schema,
    properties: { ...properties, [list]: { ...properties?.[list], items: {} } },
  };
  const validate = bodyValidator(envelope);
  return ({ httpPart, schema: other }: { httpPart?: string; schema: object }) =>
    httpPart === 'body'
      ? (body: unknown) => {
          setItemsAside(body, list, findStructureFault);
          return validate(body);
        }
      : textValidator(other);
}

/** An item that no check can look into is replaced by what is wrong with it. */
export class FaultyItem {
  readonly errors: FieldError[];

  constructor(fault: FieldError) {
    this.errors = [fault];
  }
}

/** So that the other items of a list can be looked at. The parser of the items reports the fault. */
export function setItemsAside(
  body: unknown,
  list: string,
  faultOf: (item: unknown) => FieldError | null,
): void {
  const items: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, list) : null;
  if (!Array.isArray(items)) return;
  items.forEach((item, index) => {
    const fault = faultOf(item);
    if (fault) items[index] = new FaultyItem(fault);
  });
}
