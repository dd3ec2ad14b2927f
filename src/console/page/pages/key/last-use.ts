import { html } from 'htm/preact';
import type { Key } from '../../api-types.ts';
import { Time } from '../../components/time.ts';
import { isUsedToday, lastUsedFrom } from './read.ts';

/** Says that something would stop working, by when the key was last valid. */
export function LastUse({ apiKey }: { apiKey: Key }) {
  const { lastUsedAt } = apiKey.usage;
  if (lastUsedAt === null) return html`<p class="notice neutral">It has never been used.</p>`;
  const from = lastUsedFrom(apiKey.usage);
  const tone = isUsedToday(lastUsedAt) ? 'caution' : 'neutral';
  return html`
    <div class="notice ${tone}">
      <b>Used <${Time} at=${lastUsedAt} /></b>
      <span>${from && html`From ${from.ip ?? 'an unknown address'}${from.userAgent && html` by <code>${from.userAgent}</code>`}. `}What
      still presents it is refused from the next request on.</span>
    </div>
  `;
}
