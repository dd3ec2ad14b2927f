import { html } from 'htm/preact';
import { fieldText, windowText } from '../words.ts';
import { Time } from './time.ts';

/** What an audit entry says about a change: each field as it was and as it became. */
export function Changes({ before, after }: { before: unknown; after: unknown }) {
  const was = flat(fieldsOf(before));
  const is = flat(fieldsOf(after));
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  const changed = names.filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]));
  return html`
    <dl class="changes">
      ${changed.map(
        (name) => html`
        <dt>${fieldText(name)}</dt>
        <dd>${isSaid(was[name]) && html`<del>${valueText(name, was[name])}</del> → `}<ins>${valueText(name, is[name])}</ins></dd>
      `,
      )}
    </dl>
  `;
}

/** Metadata by its names: what stayed is not shown. */
function flat({ metadata, ...fields }: Record<string, unknown>): Record<string, unknown> {
  const own = Object.entries(fieldsOf(metadata));
  return {
    ...fields,
    ...Object.fromEntries(own.map(([name, value]) => [`metadata.${name}`, value])),
  };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isSaid(value: unknown): boolean {
  return value !== null && value !== undefined;
}

function valueText(name: string, value: unknown) {
  if (name === 'graceSeconds' && typeof value === 'number' && value > 0) return windowText(value);
  if (name.endsWith('At') && typeof value === 'string') {
    return html`<${Time} at=${value} as="time" />`;
  }
  return plainText(value);
}

/** Such as “name requests, limit 100; name bursts, limit 10”. */
function plainText(value: unknown): string {
  if (!isSaid(value)) return 'none';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value))
    return value.map(plainText).join(value.some(isObject) ? '; ' : ', ') || 'none';
  const entries = Object.entries(fieldsOf(value));
  return entries.map(([name, own]) => `${fieldText(name)} ${plainText(own)}`).join(', ') || 'none';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
