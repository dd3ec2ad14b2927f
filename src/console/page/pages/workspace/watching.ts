import { html } from 'htm/preact';
import type { ApiError } from '../../api.ts';
import { Choice, Field } from '../../components/field.ts';
import { faultUnder } from '../../faults.ts';
import type { WatchForm } from './watch-form.ts';

interface Props {
  form: WatchForm;
  set: (changes: Partial<WatchForm>) => void;
  error: ApiError | null;
  isReadOnly: boolean;
}

type Entry = readonly [name: keyof WatchForm, label: string, hint: string];

export const IDLE_FIELDS: readonly Entry[] = [
  ['warnAfterDays', 'Alert after days without use', 'Empty: never, and nothing follows.'],
  ['noticeDays', 'Days of notice', 'For which each step is visible before the next one follows.'],
  ['disableAfterDays', 'Disable after days without use', 'Empty: never.'],
  ['revokeAfterDays', 'Revoke after days without use', 'Empty: never. It is final.'],
];

const THRESHOLDS: readonly Entry[] = [
  ['expiringDays', 'Days before an expiry', 'Separated by commas; an alert at each. Empty: never.'],
  ['rotationDueDays', 'Days after which a rotation is due', 'Empty: never.'],
  ['limitedHours', 'Hours a day in which a key is limited', 'Empty: no alert.'],
  [
    'creditsLow',
    'Credits that are few',
    'With a refill, a tenth of it at most. Empty: no alert before there are none.',
  ],
  ['wrongKeysPerHour', 'Wrong keys in an hour', 'Strings that match no key. Empty: no alert.'],
  [
    'unusualFactor',
    'Unusual: times as much as ever',
    'At this hour of the week, in the four weeks before. Empty: no alert.',
  ],
  ['unusualMinimum', 'Unusual: verifications at least', 'In an hour; fewer are never unusual.'],
];

export function IdleFields(props: Props) {
  return html`
    <fieldset class="field stack section" disabled=${props.isReadOnly}>
      <legend>Unused keys</legend>
      <p class="soft">What becomes of keys that nobody uses. Anyone who uses, presents or changes a key meanwhile stops it.</p>
      <div class="grid-2">${IDLE_FIELDS.map((entry) => html`<${NumberField} entry=${entry} parent="idlePolicy" ...${props} />`)}</div>
    </fieldset>
  `;
}

export function AlertFields(props: Props) {
  return html`
    <fieldset class="field stack section" disabled=${props.isReadOnly}>
      <legend>Alerts</legend>
      <p class="soft">From where on somebody should know.</p>
      <div class="grid-2">${THRESHOLDS.map((entry) => html`<${NumberField} entry=${entry} parent="alertThresholds" ...${props} />`)}</div>
    </fieldset>
  `;
}

const RESPONSES = [
  ['revoke', 'Revoke it'],
  ['rotate', 'End its string within an hour; a rotation gives it a new one'],
] as const;

export function LeakField({ form, set, error, isReadOnly }: Props) {
  return html`
    <fieldset class="field stack section" disabled=${isReadOnly}>
      <legend>Leaked keys</legend>
      <${Choice} label="When a key is reported as leaked" value=${form.leakResponse} options=${RESPONSES}
        fault=${faultUnder(error, '/body/leakResponse')} onInput=${(leakResponse: string) => set({ leakResponse })} />
    </fieldset>
  `;
}

interface FieldProps extends Props {
  entry: Entry;
  parent: string;
}

function NumberField({ entry: [name, label, hint], parent, form, set, error }: FieldProps) {
  return html`
    <${Field} label=${label} hint=${hint} type=${name === 'expiringDays' ? 'text' : 'number'} value=${form[name]}
      fault=${faultUnder(error, `/body/${parent}/${name}`)} onInput=${(text: string) => set({ [name]: text })} />
  `;
}
