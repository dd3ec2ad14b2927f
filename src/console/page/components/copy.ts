import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { announce } from './announce.ts';

interface CopyProps {
  text: string;
  label?: string;
  isPrimary?: boolean;
  onCopied?: () => void;
}

export function CopyButton({ text, label = 'Copy', isPrimary = false, onCopied }: CopyProps) {
  const isCopied = useSignal(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      announce('The browser did not allow copying: select the text and copy it.');
      return;
    }
    isCopied.value = true;
    announce('Copied.');
    onCopied?.();
  };
  return html`
    <button type="button" class=${isPrimary ? 'primary' : ''} onClick=${() => void copy()}>
      ${isCopied.value ? 'Copied' : label}
    </button>
  `;
}
