import type { Change } from './last-change.ts';

/** Fields that are shown and changed as one. */
export interface Part<Form> {
  label: string;
  fields: readonly (keyof Form)[];
  text: (form: Form) => string;
}

/** A change that somebody else has made since the form was opened. */
export interface Conflict<Form> extends Change {
  /** The form as it was begun, and as the other change makes it. */
  was: Form;
  theirs: Form;
  /** As it was typed when the other change was found. */
  mine: Form;
}

/** The parts that differ between two states of the form. */
export function changedParts<Form, Known extends Part<Form>>(
  parts: readonly Known[],
  from: Form,
  to: Form,
): Known[] {
  return parts.filter(({ text }) => text(from) !== text(to));
}

/** A form with the fields of a part as another form has them. */
export function withPart<Form>(form: Form, { fields }: Part<Form>, from: Form): Form {
  return { ...form, ...Object.fromEntries(fields.map((name) => [name, from[name]])) };
}

/** What was typed stays; what was not touched follows the state as it is now. */
export function rebase<Form>(parts: readonly Part<Form>[], conflict: Conflict<Form>): Form {
  const { was, mine, theirs } = conflict;
  return changedParts(parts, was, mine).reduce((form, part) => withPart(form, part, mine), theirs);
}
