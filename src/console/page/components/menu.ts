import { html } from 'htm/preact';
import { useId, useRef } from 'preact/hooks';

interface MenuItem {
  name: string;
  text: string;
  isDanger?: boolean;
}

interface Props {
  label: string;
  items: readonly MenuItem[];
  onChoose: (name: string) => void;
}

/** A button with a menu of actions. The browser focuses the first, and closes it on Escape, or on a click elsewhere. */
export function Menu({ label, items, onChoose }: Props) {
  const id = useId();
  const opener = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  if (items.length === 0) return null;
  const onToggle = ({ newState }: { newState: string }) => {
    if (newState !== 'open' || !opener.current || !menu.current) return;
    placeBelow(menu.current, opener.current);
  };
  const choose = (name: string) => {
    menu.current?.hidePopover();
    onChoose(name);
  };
  return html`
    <button type="button" class="plain menu-button" ref=${opener} popovertarget=${id}
      aria-label=${label} aria-haspopup="menu">⋯</button>
    <div id=${id} class="menu" popover="auto" role="menu" aria-label=${label} ref=${menu}
      onToggle=${onToggle} onKeyDown=${moveBetweenItems}>
      ${items.map(
        ({ name, text, isDanger }, index) => html`
        <button type="button" key=${name} role="menuitem" autofocus=${index === 0} class=${isDanger ? 'plain menu-item danger' : 'plain menu-item'} onClick=${() => choose(name)}>${text}</button>
      `,
      )}
    </div>
  `;
}

/** With their right edges in line; above where there is no room below. */
function placeBelow(menu: HTMLElement, opener: HTMLElement): void {
  const { bottom, top, right } = opener.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const fits = bottom + height <= document.documentElement.clientHeight;
  menu.style.top = `${fits ? bottom : top - height}px`;
  menu.style.left = `${Math.max(0, right - width)}px`;
}

function moveBetweenItems(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !(event.currentTarget instanceof HTMLElement)) return;
  event.preventDefault();
  // The table moves between its rows by the same keys.
  event.stopPropagation();
  const items = [...event.currentTarget.querySelectorAll('button')];
  const focused = items.findIndex((item) => item.matches(':focus'));
  items[(focused + step + items.length) % items.length]?.focus();
}
