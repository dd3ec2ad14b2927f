import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

interface DialogProps {
  title: string;
  /** Escape, or a button that closes; not called where `isLocked`. */
  onClose: () => void;
  isLocked?: boolean;
  isWide?: boolean;
  children: ComponentChildren;
}

/** A modal dialog; the browser keeps the focus in it, and its opener gets it back. */
export function Dialog({
  title,
  onClose,
  isLocked = false,
  isWide = false,
  children,
}: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const opener = document.activeElement;
    element.current?.showModal();
    // When it is taken off the page, the browser does not give the focus back.
    return () => {
      if (opener instanceof HTMLElement) setTimeout(() => opener.focus());
    };
  }, []);
  const onCancel = (event: Event) => {
    event.preventDefault();
    if (!isLocked) onClose();
  };
  // A second Escape closes a dialog in Chromium although the first was refused.
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && isLocked) event.preventDefault();
  };
  return html`
    <dialog
      ref=${element}
      class=${isWide ? 'wide' : ''}
      aria-labelledby=${id}
      onCancel=${onCancel}
      onKeyDown=${onKeyDown}
    >
      <div class="stack">
        <h2 id=${id}>${title}</h2>
        ${children}
      </div>
    </dialog>
  `;
}
