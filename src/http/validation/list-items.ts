import type { TSchema } from 'typebox';
import type { FieldError } from '../../errors.ts';
import { mapInTurns } from '../../lib/turns.ts';
import { bodyValidator, textValidator } from './validators.ts';

/**
 * Validates the body of a list-shaped call without the items of its list, of which it only counts
 * how many there are, so that the call can answer each of them on its own.
 */
export function envelopeCompiler(schema: TSchema, list: string) {
  const { properties }: { properties?: Record<string, object> } = { ...schema };
  const envelope = {
    ...schema,
    properties: { ...properties, [list]: { ...properties?.[list], items: {} } },
  };
  const validate = bodyValidator(envelope, list);
  return ({ httpPart, schema: other }: { httpPart?: string; schema: object }) =>
    httpPart === 'body' ? validate : textValidator(other);
}

/** An item that no check can look into is replaced by what is wrong with it. */
export class FaultyItem {
  readonly errors: FieldError[];

  constructor(fault: FieldError) {
    this.errors = [fault];
  }
}

/** So that the other items of a list can be looked at. The parser of the items reports the fault. */
export async function setItemsAside(
  body: unknown,
  list: string,
  faultOf: (item: unknown) => FieldError | null,
): Promise<void> {
  const items: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, list) : null;
  if (!Array.isArray(items)) return;
  await mapInTurns(items, (item, index) => {
    const fault = item instanceof FaultyItem ? null : faultOf(item);
    if (fault) items[index] = new FaultyItem(fault);
  });
}
