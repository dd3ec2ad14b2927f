import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  /** What is wrong with it, in the words of the API. */
  fault?: string | undefined;
  value: string;
  onInput: (value: string) => void;
  type?: string;
  rows?: number;
  placeholder?: string;
  list?: readonly string[];
  isRequired?: boolean;
  hasFocus?: boolean;
  autocomplete?: string;
}

/** A text field with its label, its hint and its error. */
export function Field(props: FieldProps) {
  const { label, hint, fault, value, onInput, type = 'text', rows, list, placeholder } = props;
  const id = useId();
  const element = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  // Browsers heed autofocus on the first page alone, and when a dialog opens.
  useEffect(() => {
    if (props.hasFocus) element.current?.focus();
  }, []);
  const own = {
    id,
    ref: element,
    value,
    placeholder,
    required: props.isRequired,
    autofocus: props.hasFocus,
    autocomplete: props.autocomplete ?? 'off',
    'aria-invalid': fault ? 'true' : undefined,
    'aria-describedby': `${id}-hint`,
    onInput: (event: { currentTarget: HTMLInputElement }) => onInput(event.currentTarget.value),
  };
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      ${rows ? html`<textarea rows=${rows} ...${own}></textarea>` : html`<input type=${type} step=${type === 'number' ? 'any' : undefined} list=${list && `${id}-list`} ...${own} />`}
      ${list && html`<datalist id="${id}-list">${list.map((item) => html`<option value=${item} />`)}</datalist>`}
      <${Below} id=${id} hint=${hint} fault=${fault} />
    </div>
  `;
}

interface ChoiceProps {
  label: string;
  hint?: ComponentChildren;
  fault?: string | undefined;
  value: string;
  onInput: (value: string) => void;
  options: readonly (readonly [value: string, text: string])[];
}

export function Choice({ label, hint, fault, value, onInput, options }: ChoiceProps) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <select
        id=${id}
        aria-describedby="${id}-hint"
        aria-invalid=${fault ? 'true' : undefined}
        onInput=${(event: { currentTarget: HTMLSelectElement }) => onInput(event.currentTarget.value)}
      >
        ${options.map(([option, text]) => html`<option value=${option} selected=${option === value}>${text}</option>`)}
      </select>
      <${Below} id=${id} hint=${hint} fault=${fault} />
    </div>
  `;
}

interface CheckProps {
  label: ComponentChildren;
  isChecked: boolean;
  onChange: (isChecked: boolean) => void;
}

export function Check({ label, isChecked, onChange }: CheckProps) {
  return html`
    <label class="check">
      <input
        type="checkbox"
        checked=${isChecked}
        onChange=${(event: { currentTarget: HTMLInputElement }) => onChange(event.currentTarget.checked)}
      />
      <span>${label}</span>
    </label>
  `;
}

function Below({ id, hint, fault }: { id: string; hint?: ComponentChildren; fault?: string }) {
  return html`
    <div id="${id}-hint">
      ${hint && html`<div class="hint">${hint}</div>`}
      ${fault && html`<div class="fault" role="alert">${fault}</div>`}
    </div>
  `;
}
