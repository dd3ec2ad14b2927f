import { html } from 'htm/preact';
import type { Permission } from '../api-types.ts';
import { permissionText } from '../words.ts';
import { Check } from './field.ts';

interface Props {
  offered: readonly Permission[];
  granted: readonly Permission[];
  fault: string | undefined;
  hint?: string;
  set: (granted: Permission[]) => void;
}

/** What a management key may do, of that which can be granted to it. */
export function PermissionChecks({ offered, granted, fault, hint, set }: Props) {
  const grant = (permission: Permission, isGranted: boolean) =>
    set(offered.filter((one) => (one === permission ? isGranted : granted.includes(one))));
  return html`
    <fieldset class="field">
      <legend>May</legend>
      ${hint && html`<div class="hint">${hint}</div>`}
      <div class="grid-2">
        ${offered.map(
          (permission) => html`
            <${Check} key=${permission} isChecked=${granted.includes(permission)}
              onChange=${(is: boolean) => grant(permission, is)}
              label=${html`<code>${permission}</code><br /><span class="soft">${permissionText(permission)}</span>`} />
          `,
        )}
      </div>
      ${fault && html`<div class="fault" role="alert">${fault}</div>`}
    </fieldset>
  `;
}
