import { html } from 'htm/preact';
import type { Key } from '../../api-types.ts';
import { type Bar, Sparkline } from '../../components/bars.ts';
import { Menu } from '../../components/menu.ts';
import { KeyStatus } from '../../components/status.ts';
import { Time } from '../../components/time.ts';
import { hrefOf } from '../../router.ts';
import { isEvery } from '../../workspace.ts';
import { offeredActions } from '../key/actions.ts';

interface Props {
  apiKey: Key;
  /** Null: not shown; undefined: not loaded yet. */
  usage: readonly Bar[] | null | undefined;
  /** Null: it cannot be selected. */
  isSelected: boolean | null;
  onSelect: () => void;
  act: (action: string) => void;
}

export function KeyRow({ apiKey, usage, isSelected, onSelect, act }: Props) {
  const { id, name, start, workspaceId, ownerId, scopes } = apiKey;
  return html`
    <tr aria-selected=${isSelected ?? undefined}>
      ${isSelected !== null && html`<td><input type="checkbox" aria-label="Select ${name}" checked=${isSelected} onChange=${onSelect} /></td>`}
      <td>
        <div class="name"><a href=${hrefOf(`/keys/${id}`, { workspaceId })}>${name}</a></div>
        <div class="below">${start}</div>
      </td>
      ${isEvery.value && html`<td>${workspaceId}</td>`}
      <td>${ownerId ?? html`<span class="soft">none</span>`}</td>
      <td><${Scopes} scopes=${scopes} /></td>
      <td><${KeyStatus} ...${apiKey} /></td>
      ${usage !== null && html`<td>${usage ? html`<${Sparkline} bars=${usage} />` : html`<span class="skeleton"></span>`}</td>`}
      <td class="nowrap"><${Time} at=${apiKey.usage.lastUsedAt} none="Never" /></td>
      <td class="nowrap"><${Time} at=${apiKey.expiresAt} none="Never" as="date" /></td>
      <td><${Menu} label="Actions for ${name}" items=${offeredActions(apiKey)} onChoose=${act} /></td>
    </tr>
  `;
}

const SHOWN_SCOPES = 3;

function Scopes({ scopes }: { scopes: readonly string[] }) {
  const more = scopes.length - SHOWN_SCOPES;
  return html`
    ${scopes.slice(0, SHOWN_SCOPES).map((scope) => html`<span class="scope">${scope}</span>`)}
    ${more > 0 && html`<span class="soft" title=${scopes.join(', ')}>+${more}</span>`}
    ${scopes.length === 0 && html`<span class="soft">none</span>`}
  `;
}
