import { html } from 'htm/preact';

/** What an audit entry says about a change: each field as it was and as it became. */
export function Changes({ before, after }: { before: unknown; after: unknown }) {
  const [was, became] = [fieldsOf(before), fieldsOf(after)];
  const names = [...new Set([...Object.keys(was), ...Object.keys(became)])];
  const changed = names.filter((name) => textOf(was[name]) !== textOf(became[name]));
  if (changed.length === 0) return html`<span class="soft">–</span>`;
  return html`
    <details>
      <summary>${changed.slice(0, 3).join(', ')}${changed.length > 3 ? ` +${changed.length - 3}` : ''}</summary>
      <dl class="facts">
        ${changed.map(
          (name) => html`
            <dt>${name}</dt>
            <dd>${name in was && before !== null ? html`<del>${textOf(was[name])}</del> → ` : ''}${textOf(became[name])}</dd>
          `,
        )}
      </dl>
    </details>
  `;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function textOf(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
