import { effect, signal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect } from 'preact/hooks';
import { navigate } from '../router.ts';
import { may } from '../session.ts';
import { workspaceId } from '../workspace.ts';
import { Dialog } from './dialog.ts';
import { Check } from './field.ts';

/** Where the browser remembers that this reader wants none. */
const STORED = 'keyward-shortcuts';

const areOn = signal(readStored() !== 'off');
export const isShortcutHelpOpen = signal(false);

effect(() => writeStored(areOn.value ? 'on' : 'off'));

interface Shortcut {
  does: string;
  run: () => void;
}

/** Single characters: speech input types them by accident, so that they can be switched off. */
const SHORTCUTS: Record<string, Shortcut> = {
  '/': { does: 'goes to the search of the keys', run: search },
  n: { does: 'creates a key', run: createKey },
  '?': { does: 'shows this list', run: showHelp },
};

/** What works in fields, tables and dialogs alone. */
const OTHERS = [
  ['↓ ↑', 'go from the search to the first row, and from row to row'],
  ['Escape', 'closes a dialog; that of a new key only after it was copied, or said to be stored'],
] as const;

/** None of them works while something is typed or a dialog is open. */
export function Shortcuts() {
  useEffect(() => {
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
  return isShortcutHelpOpen.value && html`<${Help} />`;
}

function press(event: KeyboardEvent): void {
  const { target, key, ctrlKey, metaKey, altKey } = event;
  const isTyping = target instanceof Element && target.closest('input, textarea, select');
  const isOpen = document.querySelector('dialog[open]');
  const shortcut = SHORTCUTS[key];
  if (!shortcut || !areOn.value || isTyping || isOpen || ctrlKey || metaKey || altKey) return;
  event.preventDefault();
  shortcut.run();
}

function search(): void {
  const field = document.querySelector<HTMLInputElement>('input[type="search"]');
  if (field) field.focus();
  else navigate('/keys', { workspaceId: workspaceId.value });
}

function createKey(): void {
  if (may('keys:write')) navigate('/keys/new', { workspaceId: workspaceId.value });
}

function showHelp(): void {
  isShortcutHelpOpen.value = true;
}

function Help() {
  const close = () => {
    isShortcutHelpOpen.value = false;
  };
  const row = (keys: string, does: string) => html`<dt><kbd>${keys}</kbd></dt><dd>${does}</dd>`;
  return html`
    <${Dialog} title="Keyboard shortcuts" onClose=${close}>
      <dl class="facts">
        ${Object.entries(SHORTCUTS).map(([key, { does }]) => row(key, does))}
        ${OTHERS.map(([keys, does]) => row(keys, does))}
      </dl>
      <${Check} label="Single characters are shortcuts, unless something is typed" isChecked=${areOn.value}
        onChange=${(is: boolean) => {
          areOn.value = is;
        }} />
      <div class="actions"><button type="button" class="primary" onClick=${close}>Close</button></div>
    <//>
  `;
}

/** Null also where the browser keeps nothing for this site. */
function readStored(): string | null {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function writeStored(text: string): void {
  try {
    localStorage.setItem(STORED, text);
  } catch {
    // It is forgotten with the page.
  }
}
