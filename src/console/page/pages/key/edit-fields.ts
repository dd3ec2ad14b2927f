import { html } from 'htm/preact';
import type { ApiError } from '../../api.ts';
import { Choice, Field } from '../../components/field.ts';
import { faultUnder } from '../../faults.ts';
import { type EditForm, metadataFault } from './edit-form.ts';
import { LimitFields } from './limit-fields.ts';

interface Props {
  form: EditForm;
  set: (changes: Partial<EditForm>) => void;
  error: ApiError | null;
  wereLimited: boolean;
}

const ANY_OR_LISTED = [
  ['any', 'Any'],
  ['listed', 'Only those listed'],
] as const;
const REFILLS = [
  ['none', 'No refill'],
  ['daily', 'Every day'],
  ['monthly', 'Every month'],
] as const;
const LIMITED = [
  ['unlimited', 'Not limited'],
  ['limited', 'Limited'],
] as const;

export function EditFields(props: Props) {
  const { form, set, error } = props;
  const fault = (name: string) => faultUnder(error, `/body/${name}`);
  const text = (
    name: 'name' | 'ownerId' | 'description' | 'scopes' | 'notBefore' | 'expiresAt',
  ) => ({
    value: form[name],
    fault: fault(name),
    onInput: (value: string) => set({ [name]: value }),
  });
  return html`
    <div class="grid-2">
      <${Field} label="Name" isRequired hasFocus ...${text('name')} />
      <${Field} label="Owner" hint="Whom it belongs to in your system." ...${text('ownerId')} />
    </div>
    <${Field} label="Description" rows=${2} ...${text('description')} />
    <${Field} label="Scopes" rows=${2} hint="Separated by spaces, such as orders:read or orders:*." ...${text('scopes')} />
    <div class="grid-2">
      <${Field} label="Valid from" type="datetime-local" hint="Empty: from the beginning." ...${text('notBefore')} />
      <${Field} label="Expires" type="datetime-local" hint="Empty: never." ...${text('expiresAt')} />
    </div>
    <div class="grid-2">
      <${List} label="Resources" are=${form.resourcesAre} list=${form.resources} fault=${fault('resources')}
        setAre=${(resourcesAre: string) => set({ resourcesAre })} setList=${(resources: string) => set({ resources })} />
      <${List} label="Addresses" are=${form.addressesAre} list=${form.addresses} fault=${fault('allowedIps')}
        setAre=${(addressesAre: string) => set({ addressesAre })} setList=${(addresses: string) => set({ addresses })} />
    </div>
    <${LimitFields} rows=${form.rateLimits} set=${set} error=${error} />
    <${CreditFields} ...${props} />
    <${Field} label="Metadata" rows=${4} value=${form.metadata} placeholder='{"plan": "pro"}'
      hint="A JSON object of your own." fault=${metadataFault(form.metadata) ?? fault('metadata')}
      onInput=${(metadata: string) => set({ metadata })} />
  `;
}

interface ListProps {
  label: string;
  are: string;
  list: string;
  fault: string | undefined;
  setAre: (are: string) => void;
  setList: (list: string) => void;
}

function List({ label, are, list, fault, setAre, setList }: ListProps) {
  return html`
    <div class="stack tight">
      <${Choice} label=${label} options=${ANY_OR_LISTED} value=${are} onInput=${setAre} />
      ${
        are === 'listed' &&
        html`<${Field} label="${label} that are listed" rows=${3} value=${list} fault=${fault} onInput=${setList}
          hint="One a line. An empty list allows none." />`
      }
    </div>
  `;
}

function CreditFields({ form, set, error, wereLimited }: Props) {
  const isLimited = form.creditsAre === 'limited';
  const fault = (name: string) => faultUnder(error, `/body/credits/${name}`);
  return html`
    <div class="grid-2">
      <${Choice} label="Credits" options=${LIMITED} value=${form.creditsAre} onInput=${(creditsAre: string) => set({ creditsAre })} />
      ${
        isLimited &&
        !wereLimited &&
        html`<${Field} label="Balance" type="number" isRequired value=${form.balance} fault=${fault('remaining')}
          onInput=${(balance: string) => set({ balance })} />`
      }
      ${isLimited && html`<${Choice} label="Refill" options=${REFILLS} value=${form.refill} onInput=${(refill: string) => set({ refill })} />`}
      ${
        isLimited &&
        form.refill !== 'none' &&
        html`<${Field} label="Balance after a refill" type="number" isRequired value=${form.refillAmount}
          fault=${fault('refill/amount')} onInput=${(refillAmount: string) => set({ refillAmount })} />`
      }
      ${
        isLimited &&
        form.refill === 'monthly' &&
        html`<${Field} label="Day of the month" type="number" isRequired value=${form.refillDay}
          fault=${fault('refill/dayOfMonth')} onInput=${(refillDay: string) => set({ refillDay })} />`
      }
    </div>
  `;
}
