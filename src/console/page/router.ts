import { signal } from '@preact/signals';

const BASE = '/console';

/** Where the reader is: a path below `/console`, and its query. */
export interface Place {
  path: string;
  query: URLSearchParams;
}

export const place = signal<Place>(here());

/** Of this page among those that the back and forward buttons lead to; kept in the history itself. */
let position = positionOf(history.state) ?? 0;
history.replaceState({ position }, '');
let onRefusal: (() => void) | null = null;

/** Until it is released, links, the back and forward buttons stay here, and `refused` says why. */
export function holdPlace(refused: () => void): () => void {
  onRefusal = refused;
  return () => {
    onRefusal = null;
  };
}

addEventListener('popstate', ({ state }) => {
  const to = positionOf(state) ?? position;
  if (onRefusal) {
    if (to === position) return;
    history.go(position - to);
    onRefusal();
    return;
  }
  position = to;
  place.value = here();
});

function positionOf(state: unknown): number | null {
  const isKnown = typeof state === 'object' && state !== null && 'position' in state;
  return isKnown && typeof state.position === 'number' ? state.position : null;
}

/** Whether it was done. */
function push(href: string): boolean {
  if (onRefusal) {
    onRefusal();
    return false;
  }
  position++;
  history.pushState({ position }, '', href);
  place.value = here();
  return true;
}

function here(): Place {
  const { pathname, search } = location;
  const path = pathname.slice(BASE.length).replace(/\/+$/, '');
  return { path: path === '' ? '/keys' : path, query: new URLSearchParams(search) };
}

type Query = Record<string, string | readonly string[] | null | undefined>;

/** The address of a page, without the parts of its query that are empty. */
export function hrefOf(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value ?? []].flat()) if (one !== '') params.append(name, one);
  }
  const text = params.toString();
  return `${BASE}${path}${text === '' ? '' : `?${text}`}`;
}

/** Goes to another page; `replace` keeps the back button on the one before. */
export function navigate(path: string, query: Query = {}, { replace = false } = {}): void {
  const href = hrefOf(path, query);
  if (!replace) push(href);
  else {
    history.replaceState({ position }, '', href);
    place.value = here();
  }
}

/** This page with some of its query changed. */
export function withQuery(changes: Query): Query {
  const { query } = place.value;
  const current = Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]));
  return { ...current, ...changes };
}

/** Links to pages of the console are followed without a new load. */
addEventListener('click', (event) => {
  const { target, button, metaKey, ctrlKey, shiftKey, defaultPrevented } = event;
  if (defaultPrevented || button !== 0 || metaKey || ctrlKey || shiftKey) return;
  const link = target instanceof Element ? target.closest('a') : null;
  if (link?.target !== '' || link.hasAttribute('download')) return;
  const { origin, pathname } = new URL(link.href);
  if (origin !== location.origin || !pathname.startsWith(`${BASE}/`)) return;
  event.preventDefault();
  if (push(link.href)) scrollTo(0, 0);
});
