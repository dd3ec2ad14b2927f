import { html } from 'htm/preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Schemas } from '../../api-types.ts';
import { Check } from '../../components/field.ts';
import { ACTION_GROUPS, actionText } from '../../words.ts';

type EventType = Schemas['EventType'];
/** Null: all of them. */
export type Chosen = readonly EventType[] | null;

interface Props {
  value: Chosen;
  fault: string | undefined;
  set: (value: Chosen) => void;
}

/** Which events are sent: all, or those of some groups, or single ones. */
export function EventTypes({ value, fault, set }: Props) {
  const of = value ?? [];
  return html`
    <fieldset class="field stack">
      <legend>Events</legend>
      <${Check} isChecked=${value === null} onChange=${(isAll: boolean) => set(isAll ? null : [])}
        label=${html`All of them<br /><span class="soft">Also those of later versions.</span>`} />
      ${
        value !== null &&
        html`
          <div class="event-groups">
            ${[...ACTION_GROUPS].map(([group, types]) => html`<${Group} key=${group} group=${group} types=${types} value=${of} set=${set} />`)}
          </div>
        `
      }
      ${fault && html`<div class="fault" role="alert">${fault}</div>`}
    </fieldset>
  `;
}

interface GroupProps {
  group: string;
  types: readonly EventType[];
  value: readonly EventType[];
  set: (value: Chosen) => void;
}

function Group({ group, types, value, set }: GroupProps) {
  const chosen = types.filter((type) => value.includes(type));
  const others = value.filter((type) => !types.includes(type));
  const choose = (type: EventType, is: boolean) =>
    set(is ? [...value, type] : value.filter((one) => one !== type));
  return html`
    <details>
      <summary><span>${group}</span><span class="soft">${chosen.length === 0 ? 'none' : chosen.length === types.length ? 'all' : `${chosen.length} of ${types.length}`}</span></summary>
      <div class="stack tight">
        <${AllOf} group=${group} count=${chosen.length} of=${types.length} onChange=${(is: boolean) => set(is ? [...others, ...types] : others)} />
        <div class="grid-2">
          ${types.map(
            (type) => html`
              <${Check} key=${type} isChecked=${value.includes(type)} onChange=${(is: boolean) => choose(type, is)}
                label=${html`${actionText(type)}<br /><code class="soft">${type}</code>`} />
            `,
          )}
        </div>
      </div>
    </details>
  `;
}

interface AllProps {
  group: string;
  count: number;
  of: number;
  onChange: (isChecked: boolean) => void;
}

function AllOf({ group, count, of, onChange }: AllProps) {
  const box = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (box.current) box.current.indeterminate = count > 0 && count < of;
  }, [count, of]);
  return html`
    <label class="check">
      <input type="checkbox" ref=${box} checked=${count === of}
        onChange=${(event: { currentTarget: HTMLInputElement }) => onChange(event.currentTarget.checked)} />
      <b>Every event of ${group.toLowerCase()}</b>
    </label>
  `;
}
