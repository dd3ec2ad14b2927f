import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { announce } from '../../components/announce.ts';
import { FilterField } from '../../components/filter-field.ts';
import { looksLikeKey } from '../../key-text.ts';
import { navigate, withQuery } from '../../router.ts';
import { moveBetweenRows } from './row-focus.ts';
import { SORTS, USES, type Use } from './views.ts';

interface InputEvent {
  currentTarget: HTMLInputElement | HTMLSelectElement;
}

interface FilterValues {
  search: string;
  ownerId: string;
  scope: string;
  used: Use;
}

/** What is typed becomes part of the address, so that it can be shared. */
export function Filters({ filters, sort }: { filters: FilterValues; sort: string | null }) {
  const filter = (name: string, text: string) => {
    if (looksLikeKey(text)) announce('This looks like a key. “Try a key” says which it is.');
    else navigate('/keys', withQuery({ [name]: text.trim(), cursor: null }), { replace: true });
  };
  const search = (text: string) => filter('search', text);
  const change =
    (name: string) =>
    ({ currentTarget }: InputEvent) =>
      filter(name, currentTarget.value);
  return html`
    <div class="filters" role="search">
      <${SearchField} value=${filters.search} onPause=${search} />
      <${FilterField} label="Owner" size=${16} value=${filters.ownerId} onChange=${(text: string) => filter('ownerId', text)} />
      <${FilterField} label="Scope" size=${16} value=${filters.scope} onChange=${(text: string) => filter('scope', text)} />
      <select aria-label="Last used" onChange=${change('used')}>
        ${Object.entries(USES).map(([name, { title }]) => html`<option value=${name} selected=${name === filters.used}>${title}</option>`)}
      </select>
      <select aria-label="Sort" onChange=${change('sort')}>
        ${SORTS.map(([name, text]) => html`<option value=${name} selected=${name === (sort ?? '-createdAt')}>${text}</option>`)}
      </select>
    </div>
  `;
}

const TYPING_MS = 250;

/** What is typed is asked for when the typing pauses, and stays as it was typed. */
function SearchField({ value, onPause }: { value: string; onPause: (text: string) => void }) {
  const text = useSignal(value);
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (text.value.trim() !== value) text.value = value;
  }, [value]);
  const type = ({ currentTarget }: InputEvent) => {
    text.value = currentTarget.value;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onPause(text.value), TYPING_MS);
  };
  return html`
    <input type="search" aria-label="Search names" placeholder="Search names ( / )" size="30"
      value=${text.value} onInput=${type} onKeyDown=${moveBetweenRows} />
  `;
}
