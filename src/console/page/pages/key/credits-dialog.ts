import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import { answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import { announce } from '../../components/announce.ts';
import { Dialog } from '../../components/dialog.ts';
import { Choice, Field } from '../../components/field.ts';
import { Failure } from '../../components/states.ts';
import { formatNumber } from '../../format.ts';
import { useIntent } from '../../intent.ts';

const OPERATIONS: readonly (readonly [Schemas['CreditsOperation'], string])[] = [
  ['add', 'Add'],
  ['subtract', 'Subtract'],
  ['set', 'Set to'],
];

interface Props {
  id: string;
  remaining: number;
  onClose: () => void;
  onDone: () => void;
}

export function CreditsDialog({ id, remaining, onClose, onDone }: Props) {
  const operation = useSignal<Schemas['CreditsOperation']>('add');
  const amount = useSignal('');
  const { error, isBusy, run } = useAction();
  const intent = useIntent();
  const change = async () => {
    const body = { operation: operation.value, amount: Number(amount.value) };
    const headers = intent.headersFor(body);
    await answerOf(api.POST('/v1/keys/{id}/credits', { params: { path: { id } }, headers, body }));
    intent.fulfil();
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!(await run(change))) return;
    announce('The credits were changed.');
    onClose();
    onDone();
  };
  const after = balanceAfter(remaining, operation.value, Number(amount.value));
  return html`
    <${Dialog} title="Change credits" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <p>${formatNumber(remaining)} left when this page was loaded. Verifications go on spending them.</p>
        <div class="grid-2">
          <${Choice} label="Change" options=${OPERATIONS} value=${operation.value}
            onInput=${(value: string) => {
              operation.value = OPERATIONS.find(([name]) => name === value)?.[0] ?? 'add';
            }} />
          <${Field} label="Amount" type="number" value=${amount.value} isRequired hasFocus
            fault=${error.value?.faultOf('/body/amount')}
            onInput=${(value: string) => {
              amount.value = value;
            }} />
        </div>
        <p class="soft">${amount.value === '' ? 'A balance never goes below 0.' : html`Then about <b>${formatNumber(after)}</b> are left.`}</p>
        ${error.value && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value || amount.value === ''}>Change credits</button>
        </div>
      </form>
    <//>
  `;
}

function balanceAfter(remaining: number, operation: string, amount: number): number {
  if (operation === 'set') return amount;
  return Math.max(0, operation === 'add' ? remaining + amount : remaining - amount);
}
