import { useSignal } from '@preact/signals';
import { useAction } from './action.ts';
import { ApiError } from './api.ts';
import { type Conflict, type Part, rebase } from './conflict.ts';
import type { Change } from './last-change.ts';

interface Options<State, Form> {
  /** What is edited, with the entity tag of the state that the form begins with. */
  state: State;
  parts: readonly Part<Form>[];
  formOf: (state: State) => Form;
  /** Changes this state, and no other. */
  patch: (state: State, form: Form) => Promise<void>;
  read: () => Promise<State>;
  lastChange: (state: State) => Promise<Change>;
  /** It is another one now, by this form or by somebody else. */
  onChange: () => void;
}

/** A form that overwrites nothing: a change by somebody else meanwhile is found, and what was typed stays. */
export function useEditing<State, Form>(options: Options<State, Form>) {
  const { parts, formOf } = options;
  const base = useSignal(options.state);
  const form = useSignal(formOf(options.state));
  const conflict = useSignal<Conflict<Form> | null>(null);
  const { error, isBusy, run } = useAction();
  const compare = async () => {
    const was = formOf(base.value);
    const state = await options.read();
    const change = await options.lastChange(state);
    conflict.value = { was, mine: form.value, theirs: formOf(state), ...change };
    form.value = rebase(parts, conflict.value);
    base.value = state;
  };
  /** Whether it was saved. */
  const save = async () => {
    let isSaved = false;
    await run(async () => {
      try {
        await options.patch(base.value, form.value);
        isSaved = true;
      } catch (caught) {
        if (!isOutdated(caught)) throw caught;
        await compare();
      }
      options.onChange();
    });
    return isSaved;
  };
  const set = (changes: Partial<Form>) => {
    form.value = { ...form.value, ...changes };
  };
  return { base, form, conflict, error, isBusy, save, set };
}

/** Somebody else has changed it meanwhile, or the API wants to know what is changed. */
function isOutdated(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 412 || error.status === 428);
}
