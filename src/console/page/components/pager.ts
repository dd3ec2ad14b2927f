import { html } from 'htm/preact';
import { hrefOf, place, withQuery } from '../router.ts';

/** Pages of a list follow each other by cursors; the browser's back button leads to the one before. */
export function Pager({ count, nextCursor }: { count: string; nextCursor: string | null }) {
  const { path, query } = place.value;
  const to = (cursor: string | null) => hrefOf(path, withQuery({ cursor }));
  return html`
    <div class="table-foot">
      <span>${count}</span>
      <span class="row">
        ${query.get('cursor') && html`<a class="button" href=${to(null)}>First page</a>`}
        ${nextCursor && html`<a class="button" href=${to(nextCursor)}>Next page</a>`}
      </span>
    </div>
  `;
}
