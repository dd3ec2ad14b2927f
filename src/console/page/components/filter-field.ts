import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect } from 'preact/hooks';

interface Props {
  label: string;
  placeholder?: string;
  size: number;
  value: string;
  /** When the reader is done with it. */
  onChange: (text: string) => void;
}

/** What is typed stays as it was typed, also when the list arrives meanwhile. */
export function FilterField({ label, placeholder = label, size, value, onChange }: Props) {
  const text = useSignal(value);
  useEffect(() => {
    text.value = value;
  }, [value]);
  return html`
    <input aria-label=${label} placeholder=${placeholder} size=${size} value=${text.value}
      onInput=${({ currentTarget }: { currentTarget: HTMLInputElement }) => {
        text.value = currentTarget.value;
      }}
      onChange=${() => onChange(text.value)} />
  `;
}
