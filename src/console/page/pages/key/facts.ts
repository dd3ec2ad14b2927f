import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import type { Key, Schemas } from '../../api-types.ts';
import { CopyButton } from '../../components/copy.ts';
import { Time } from '../../components/time.ts';
import { formatNumber } from '../../format.ts';
import { hrefOf } from '../../router.ts';
import { lastUsedFrom } from './read.ts';

/** Every field of the key but those that have a card of their own. */
export function Facts({ apiKey }: { apiKey: Key }) {
  const { workspaceId, ownerId, usage } = apiKey;
  const from = lastUsedFrom(usage);
  const owner =
    ownerId &&
    html`<a href=${hrefOf('/keys', { workspaceId, ownerId, view: 'all' })}>${ownerId}</a>`;
  return html`
    <section class="card padded stack" aria-labelledby="facts">
      <h2 id="facts">Details</h2>
      <dl class="facts">
        <${Fact} name="Id"><span class="row"><code>${apiKey.id}</code><${CopyButton} text=${apiKey.id} /></span><//>
        <${Fact} name="Workspace">${workspaceId}<//>
        <${Fact} name="Owner">${owner ?? html`<span class="soft">none</span>`}<//>
        ${apiKey.description && html`<${Fact} name="Description">${apiKey.description}<//>`}
        <${Fact} name="Scopes"><${Items} items=${apiKey.scopes} all="" none="none" /><//>
        <${Fact} name="Resources"><${Items} items=${apiKey.resources} all="any" none="none at all" /><//>
        <${Fact} name="Addresses"><${Items} items=${apiKey.allowedIps} all="any" none="none at all" /><//>
        ${apiKey.notBefore && html`<${Fact} name="Valid from"><${Time} at=${apiKey.notBefore} as="time" /><//>`}
        <${Fact} name="Expires"><${Time} at=${apiKey.expiresAt} as="time" /><//>
        <${Fact} name="Last used"><${Time} at=${usage.lastUsedAt} /><//>
        ${from && html`<${Fact} name="Last used from">${from.ip ?? 'an unknown address'}${from.userAgent && html`<br /><code>${from.userAgent}</code>`}<//>`}
        <${Fact} name="Last denied"><${Time} at=${usage.lastDeniedAt} /><//>
        <${Fact} name="Verifications"><span class="number">${formatNumber(usage.total)}</span><//>
        <${Fact} name="Created"><${Time} at=${apiKey.createdAt} as="time" /> by <${By} ...${apiKey.createdBy} /><//>
        <${Fact} name="Changed"><${Time} at=${apiKey.updatedAt} /><//>
        <${Fact} name="Prefix"><code>${apiKey.prefix}</code><//>
        <${Metadata} metadata=${apiKey.metadata} />
      </dl>
    </section>
  `;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return html`<dt>${name}</dt><dd>${children}</dd>`;
}

/** Null is all, and an empty list none. */
function Items({
  items,
  all,
  none,
}: {
  items: readonly string[] | null;
  all: string;
  none: string;
}) {
  if (items === null) return html`<span class="soft">${all}</span>`;
  if (items.length === 0) return html`<span class="soft">${none}</span>`;
  return items.map((item) => html`<span class="scope">${item}</span>`);
}

function By({ id, onBehalfOf }: Schemas['Actor']) {
  return onBehalfOf === null ? id : html`<span title="by ${id}">${onBehalfOf}</span>`;
}

function Metadata({ metadata }: { metadata: Key['metadata'] }) {
  const entries = Object.entries(metadata);
  if (entries.length === 0) return null;
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return html`
    <${Fact} name="Metadata">
      ${entries.map(([name, value]) => html`<div><code>${name}</code> <span class="soft">=</span> ${text(value)}</div>`)}
    <//>
  `;
}
