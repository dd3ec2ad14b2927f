import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import type { ComponentChildren } from 'preact';
import { useAction } from '../action.ts';
import { useIntent } from '../intent.ts';
import { announce } from './announce.ts';
import { Dialog } from './dialog.ts';
import { Check, Choice } from './field.ts';
import { Failure } from './states.ts';

const GRACES = [
  ['3600', '1 hour'],
  ['86400', '1 day'],
  ['604800', '7 days'],
  ['2592000', '30 days'],
] as const;

export interface Rotation {
  graceSeconds: number;
  supersede: boolean;
}

export type RotationHeaders = ReturnType<ReturnType<typeof useIntent>['headersFor']>;

interface Props {
  title: string;
  /** What is rotated, such as `key`. */
  what: string;
  /** What has the grace, such as `old string`. */
  old: string;
  noGrace: string;
  hintOf: (graceSeconds: number) => ComponentChildren;
  /** What a rotation that is under way means; null: none is. */
  underWay: ComponentChildren;
  /** Says that the one under way is ended for this one. */
  supersede: string;
  rotate: (rotation: Rotation, headers: RotationHeaders) => Promise<void>;
  onClose: () => void;
  /** It was rotated, or refused: somebody else may have changed it. */
  onDone: () => void;
  children: ComponentChildren;
}

/** Rotates with a grace; during another rotation only after that one is given up. */
export function RotationForm({ title, what, old, rotate, onClose, onDone, ...props }: Props) {
  const grace = useSignal('86400');
  const supersedes = useSignal(false);
  const { error, isBusy, run } = useAction();
  const intent = useIntent();
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await run(async () => {
      const body = { graceSeconds: Number(grace.value), supersede: supersedes.value };
      await rotate(body, intent.headersFor(body));
      intent.fulfil();
    });
    if (isDone) announce(`The ${what} was rotated.`);
    onDone();
  };
  const isHeldBack = Boolean(props.underWay) && !supersedes.value;
  return html`
    <${Dialog} title=${title} onClose=${onClose} isLocked=${isBusy.value}>
      <form class="stack" onSubmit=${submit}>
        ${props.children}
        <${Choice} label="Grace of the ${old}" options=${[['0', props.noGrace], ...GRACES]} value=${grace.value}
          fault=${error.value?.faultOf('/body/graceSeconds')} hint=${props.hintOf(Number(grace.value))}
          onInput=${(value: string) => {
            grace.value = value;
          }} />
        ${
          props.underWay &&
          html`
          <div class="notice caution">
            <b>A rotation is under way</b>
            <span>${props.underWay}</span>
            <${Check} label=${props.supersede} isChecked=${supersedes.value}
              onChange=${(is: boolean) => {
                supersedes.value = is;
              }} />
          </div>
        `
        }
        ${error.value && html`<${Failure} error=${error.value} />`}
        <div class="actions">
          <button type="button" disabled=${isBusy.value} onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${isBusy.value || isHeldBack}>
            ${isBusy.value ? 'Rotating…' : `Rotate ${what}`}
          </button>
        </div>
      </form>
    <//>
  `;
}
