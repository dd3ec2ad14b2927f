import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect } from 'preact/hooks';
import type { Key } from '../../api-types.ts';
import { Pager } from '../../components/pager.ts';
import { plural } from '../../format.ts';
import { may } from '../../session.ts';
import { isEvery } from '../../workspace.ts';
import { BulkRevocation } from '../bulk-revocation.ts';
import { useKeyUsage } from '../key-usage.ts';
import { KeyRow } from './row.ts';
import { moveBetweenRows } from './row-focus.ts';

interface TableProps {
  keys: readonly Key[];
  nextCursor: string | null;
  reload: () => void;
  act: (id: string, action: string) => void;
  empty: unknown;
}

export function KeyTable({ keys, nextCursor, reload, act, empty }: TableProps) {
  const selected = useSignal<ReadonlySet<string>>(new Set());
  const isRevoking = useSignal(false);
  const usage = useKeyUsage(keys);
  useEffect(() => {
    selected.value = new Set();
  }, [keys]);
  if (keys.length === 0) return html`<div class="card">${empty}</div>`;
  const toggle = (id: string) => {
    const next = new Set(selected.value);
    if (!next.delete(id)) next.add(id);
    selected.value = next;
  };
  const areAllSelected = keys.every(({ id }) => selected.value.has(id));
  const toggleAll = () => {
    selected.value = new Set(areAllSelected ? [] : keys.map(({ id }) => id));
  };
  const canSelect = may('keys:revoke');
  const hasUsage = may('usage:read');
  return html`
    <div class="card">
      <div class="table-wrap">
        <table>
          <thead>
            <tr>
              ${canSelect && html`<th><input type="checkbox" aria-label="Select all on this page" checked=${areAllSelected} onChange=${toggleAll} /></th>`}
              <th>Name</th>${isEvery.value && html`<th>Workspace</th>`}<th>Owner</th><th>Scopes</th><th>Status</th>${hasUsage && html`<th>Last 30 days</th>`}<th>Last used</th><th>Expires</th><th><span class="visually-hidden">Actions</span></th>
            </tr>
          </thead>
          <tbody onKeyDown=${moveBetweenRows}>
            ${keys.map(
              (key) => html`
              <${KeyRow} key=${key.id} apiKey=${key} usage=${hasUsage ? usage?.get(key.id) : null}
                isSelected=${canSelect ? selected.value.has(key.id) : null}
                onSelect=${() => toggle(key.id)} act=${(name: string) => act(key.id, name)} />
            `,
            )}
          </tbody>
        </table>
      </div>
      <${Pager} count=${`${plural(keys.length, 'key')} on this page`} nextCursor=${nextCursor} />
    </div>
    ${
      selected.value.size > 0 &&
      html`
      <div class="selection-bar" role="region" aria-label="Selected keys">
        <b>${plural(selected.value.size, 'key')} selected</b>
        <button type="button" class="danger" onClick=${() => {
          isRevoking.value = true;
        }}>Revoke…</button>
        <button type="button" class="plain" onClick=${() => {
          selected.value = new Set();
        }}>Clear selection</button>
      </div>
    `
    }
    ${
      isRevoking.value &&
      html`
      <${BulkRevocation}
        keys=${keys.filter(({ id }) => selected.value.has(id))}
        onClose=${() => {
          isRevoking.value = false;
        }}
        onDone=${reload}
      />
    `
    }
  `;
}
