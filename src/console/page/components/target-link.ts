import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import type { Permission } from '../api-types.ts';
import { hrefOf } from '../router.ts';
import { may } from '../session.ts';

interface Target {
  type: string;
  id: string;
  /** Whose it is. */
  of: string;
  children?: ComponentChildren;
}

/** Where something is shown, for those who may see it. */
const PAGES: Record<string, readonly [Permission, (target: Target) => string]> = {
  key: ['keys:read', ({ id, of }) => hrefOf(`/keys/${id}`, { workspaceId: of })],
  webhook: ['webhooks:read', ({ id }) => hrefOf(`/webhooks/${id}`)],
  workspace: ['workspaces:read', ({ id }) => hrefOf(`/workspaces/${encodeURIComponent(id)}`)],
  management_key: ['management:read', () => hrefOf('/management-keys')],
};

/** What an entry or an alert is about, as a link to it. */
export function TargetLink(target: Target) {
  const text = target.children ?? target.id;
  const [permission, href] = PAGES[target.type] ?? [];
  if (!href || !permission || !may(permission))
    return target.children ? html`<span>${text}</span>` : html`<code>${text}</code>`;
  return html`<a class=${target.children ? '' : 'mono'} href=${href(target)}>${text}</a>`;
}
