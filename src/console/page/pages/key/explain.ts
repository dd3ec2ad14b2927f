import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import { answerOf, api } from '../../api.ts';
import type { Key, Schemas } from '../../api-types.ts';
import { announce } from '../../components/announce.ts';
import { Field } from '../../components/field.ts';
import { Failure } from '../../components/states.ts';
import { Pill } from '../../components/status.ts';
import { faultUnder } from '../../faults.ts';
import { checkText, verdictText } from '../../words.ts';

const EMPTY = { requiredScopes: '', requiredAnyScope: '', resource: '', ip: '', cost: '' };
type Form = typeof EMPTY;

/** What verify would answer, check by check. Nothing is consumed or counted. */
export function Explain({ apiKey }: { apiKey: Key }) {
  const form = useSignal<Form>(EMPTY);
  const answer = useSignal<Schemas['Explanation'] | null>(null);
  const { error, isBusy, run } = useAction();
  const submit = async (event: Event) => {
    event.preventDefault();
    const isDone = await run(async () => {
      answer.value = await explain(apiKey.id, form.value);
    });
    if (isDone && answer.value) announce(`The verdict: ${verdictText(answer.value.code)}.`);
  };
  const field = (name: keyof Form) => ({
    value: form.value[name],
    fault: faultUnder(error.value, `/body/${name}`),
    onInput: (value: string) => {
      form.value = { ...form.value, [name]: value };
    },
  });
  return html`
    <section class="card padded stack" aria-labelledby="explain">
      <div>
        <h2 id="explain">Explain</h2>
        <p class="soft">What a verification would answer now, and why. Nothing is consumed or counted.</p>
      </div>
      <form class="stack" onSubmit=${submit}>
        <div class="grid-2">
          <${Field} label="Required scopes" placeholder="orders:read" hint="All of them, separated by spaces." ...${field('requiredScopes')} />
          <${Field} label="One of these scopes" placeholder="orders:read orders:write" ...${field('requiredAnyScope')} />
          <${Field} label="Resource" placeholder="project:alpha" ...${field('resource')} />
          <${Field} label="Address of the client" placeholder="203.0.113.7" ...${field('ip')} />
        </div>
        <div class="row apart bottom">
          <${Field} label="Cost" type="number" placeholder="1" ...${field('cost')} />
          <button disabled=${isBusy.value}>${isBusy.value ? 'Checking…' : 'Explain'}</button>
        </div>
        ${error.value && error.value.problem.errors.length === 0 && html`<${Failure} error=${error.value} />`}
      </form>
      ${answer.value && html`<${Checks} ...${answer.value} />`}
    </section>
  `;
}

/** Those after the first failure are shown too: they would fail next. */
function Checks({ valid, code, checks }: Schemas['Explanation']) {
  return html`
    <div class="stack tight">
      <div class="row">
        <${Pill} tone=${valid ? 'good' : 'bad'} text=${verdictText(code)} />
        <code>${code}</code>
      </div>
      <ol class="checks">
        ${checks.map(
          (check) => html`
          <li key=${check.code} class=${check.code === code ? 'decides' : ''}>
            <${Pill} tone=${check.passed ? 'good' : 'bad'} text=${check.passed ? 'Passes' : 'Fails'} />
            <span>${checkText(check.code)}${check.code === code && html` <b>decides</b>`}</span>
          </li>
        `,
        )}
      </ol>
    </div>
  `;
}

function explain(id: string, form: Form): Promise<Schemas['Explanation']> {
  const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '');
  const [all, oneOf] = [words(form.requiredScopes), words(form.requiredAnyScope)];
  const body = {
    ...(all.length > 0 && { requiredScopes: all }),
    ...(oneOf.length > 0 && { requiredAnyScope: oneOf }),
    ...(form.resource.trim() !== '' && { resource: form.resource.trim() }),
    ...(form.ip.trim() !== '' && { ip: form.ip.trim() }),
    ...(form.cost !== '' && { cost: Number(form.cost) }),
  };
  return answerOf(api.POST('/v1/keys/{id}/explain', { params: { path: { id } }, body }));
}
