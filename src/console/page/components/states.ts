import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import type { ApiError } from '../api.ts';
import type { Resource } from '../resource.ts';

/** Shows what was loaded, or that it is being loaded, or why it was not. */
export function Loaded<Data>({
  resource,
  children,
  skeleton = html`<${Skeleton} />`,
}: {
  resource: Resource<Data>;
  children: (data: Data) => ComponentChildren;
  skeleton?: ComponentChildren;
}) {
  const { data, error, isLoading, reload } = resource;
  if (error) return html`<${Failure} error=${error} retry=${reload} />`;
  if (data === null) return isLoading ? skeleton : null;
  return html`<div aria-busy=${isLoading}>${children(data)}</div>`;
}

export function Failure({ error, retry }: { error: ApiError; retry?: () => void }) {
  const { title, detail, errors, requestId } = error.problem;
  return html`
    <div class="notice bad" role="alert">
      <b>${title}</b>
      ${detail !== '' && html`<span>${detail}</span>`}
      ${errors.map((fault) => html`<span><code>${fault.pointer}</code> ${fault.detail}</span>`)}
      ${requestId !== '' && html`<span class="mono">Request ${requestId}</span>`}
      ${retry && html`<div class="row"><button type="button" onClick=${retry}>Try again</button></div>`}
    </div>
  `;
}

/** As high as what comes, so that nothing jumps. */
export function Skeleton({ lines = 6 }: { lines?: number }) {
  return html`
    <div class="card padded stack" aria-busy="true" aria-label="Loading">
      ${Array.from({ length: lines }, () => html`<span class="skeleton"></span>`)}
    </div>
  `;
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return html`<div class="empty"><h2>${title}</h2>${children}</div>`;
}
