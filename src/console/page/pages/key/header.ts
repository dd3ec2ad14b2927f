import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Key } from '../../api-types.ts';
import { KeyStatus } from '../../components/status.ts';
import { Time } from '../../components/time.ts';
import { hrefOf } from '../../router.ts';
import { offeredActions } from './actions.ts';

interface Props {
  apiKey: Key;
  act: (name: string) => void;
  reload: () => void;
}

export function KeyHeader({ apiKey, act, reload }: Props) {
  const { id, name, start, workspaceId } = apiKey;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [id]);
  const { lastUsedAt } = apiKey.usage;
  return html`
    <p class="crumb"><a href=${hrefOf('/keys', { workspaceId })}>Keys</a></p>
    <header class="page-head key-head">
      <div>
        <div class="row"><h1 ref=${heading} tabindex="-1">${name}</h1><${KeyStatus} ...${apiKey} /></div>
        <p><code>${start || 'no valid string'}</code> · ${lastUsedAt ? html`last used <${Time} at=${lastUsedAt} />` : 'never used'}</p>
      </div>
      <div class="row">
        <button type="button" class="plain" onClick=${reload}>Refresh</button>
        ${offeredActions(apiKey).map(
          (action) => html`
          <button type="button" key=${action.name} class=${action.isDanger ? 'danger' : ''} onClick=${() => act(action.name)}>${action.text}</button>
        `,
        )}
      </div>
    </header>
  `;
}

/** How the key ended. */
export function Revocation({ apiKey }: { apiKey: Key }) {
  const { revokedAt, revokedBy, revokeReason, revokeNote } = apiKey;
  if (revokedAt === null) return null;
  return html`
    <section class="notice bad rotation" aria-label="Revocation">
      <div class="stack tight">
        <b>Revoked <${Time} at=${revokedAt} as="time" />${revokedBy && ` by ${revokedBy.onBehalfOf ?? revokedBy.id}`}${revokeReason && `: ${revokeReason}`}</b>
        <span>${revokeNote ?? 'It is refused for good, and still counted when it is presented.'}</span>
      </div>
    </section>
  `;
}
