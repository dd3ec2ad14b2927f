import { html } from 'htm/preact';
import type { ApiError } from '../../api.ts';
import { Field } from '../../components/field.ts';
import { faultUnder } from '../../faults.ts';
import type { EditForm, LimitRow } from './edit-form.ts';

const MAX_LIMITS = 5;
const NEW: LimitRow = { name: 'requests', limit: '100', windowSeconds: '60' };

interface Props {
  rows: readonly LimitRow[];
  set: (changes: Partial<EditForm>) => void;
  error: ApiError | null;
}

/** A verification has to fit into all of them. */
export function LimitFields({ rows, set, error }: Props) {
  const change = (index: number, changes: Partial<LimitRow>) =>
    set({ rateLimits: rows.map((row, at) => (at === index ? { ...row, ...changes } : row)) });
  const remove = (index: number) => set({ rateLimits: rows.filter((_, at) => at !== index) });
  return html`
    <fieldset class="field">
      <legend>Rate limits</legend>
      ${rows.length === 0 && html`<span class="soft">None: requests are not limited.</span>`}
      ${rows.map((row, index) => {
        const fault = (name: string) => faultUnder(error, `/body/rateLimits/${index}/${name}`);
        return html`
          <div class="limit" role="group" aria-label="Rate limit ${index + 1}">
            <${Field} label="Name" value=${row.name} isRequired fault=${fault('name')} onInput=${(name: string) => change(index, { name })} />
            <${Field} label="Requests" type="number" value=${row.limit} isRequired fault=${fault('limit')} onInput=${(limit: string) => change(index, { limit })} />
            <${Field} label="In seconds" type="number" value=${row.windowSeconds} isRequired fault=${fault('windowSeconds')}
              onInput=${(windowSeconds: string) => change(index, { windowSeconds })} />
            <button type="button" class="plain" aria-label="Remove rate limit ${index + 1}" onClick=${() => remove(index)}>Remove</button>
          </div>
        `;
      })}
      ${rows.length < MAX_LIMITS && html`<div><button type="button" class="plain" onClick=${() => set({ rateLimits: [...rows, NEW] })}>Add a rate limit</button></div>`}
    </fieldset>
  `;
}
