/** Arrows lead from the search to the first row, and from row to row. */
export function moveBetweenRows(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const links = [...document.querySelectorAll<HTMLElement>('tbody .name a')];
  if (!step || !(event.target instanceof HTMLElement)) return;
  event.preventDefault();
  links[links.indexOf(event.target) + step]?.focus();
}
