import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useAction } from '../action.ts';
import { answerOf, api } from '../api.ts';
import { announce } from '../components/announce.ts';
import { Failure } from '../components/states.ts';
import { download } from '../download.ts';
import { formatNumber, plural } from '../format.ts';
import { useIntent } from '../intent.ts';
import { useHeldPage } from '../leaving.ts';
import { hrefOf } from '../router.ts';
import { isEvery, workspaceId } from '../workspace.ts';
import { ChooseWorkspace } from './choose-workspace.ts';
import { batchesOf, isSendable, parseImport } from './import/parse.ts';
import { type Outcome, Outcomes, outcomesOf, Preview } from './import/rows.ts';
import { type Source, SourceField } from './import/source.ts';

/** Keys of another system, by the digests that it kept of them. */
export function ImportPage() {
  return html`
    <header class="page-head">
      <div>
        <h1>Import keys</h1>
        <p>Into workspace <b>${workspaceId.value}</b>, by the digests that another system kept: their holders change nothing.</p>
      </div>
    </header>
    ${isEvery.value ? html`<${ChooseWorkspace} />` : html`<${Import} key=${workspaceId.value} />`}
  `;
}

function Import() {
  const source = useSignal<Source>({ fileName: null, text: '' });
  const { text } = source.value;
  const { rows, unit, fault } = useMemo(() => parseImport(text), [text]);
  const batches = useMemo(() => batchesOf(rows.filter(isSendable)), [rows]);
  const { outcomes, error, isBusy, isDone, send, reset } = useSending(batches);
  const ready = rows.filter(isSendable).length;
  const hasBegun = outcomes.length > 0;
  const restart = () => {
    reset();
    source.value = { fileName: null, text: '' };
  };
  return html`
    <div class="stack">
      <div class="card padded stack">
        ${
          !hasBegun &&
          html`<${SourceField} source=${source.value} fault=${text.trim() === '' ? undefined : fault} set=${(
            value: Source,
          ) => {
            source.value = value;
          }} />`
        }
        ${(hasBegun || isBusy) && html`<progress value=${outcomes.length} max=${ready} aria-label="Import"></progress>`}
        ${error && html`<${Failure} error=${error} />`}
        <div class="row apart">
          <span role="status">${isDone ? countsText(outcomes) : stateText(outcomes.length, ready, rows.length)}</span>
          <span class="row">
            ${(hasBegun || source.value.fileName) && !isBusy && html`<button type="button" onClick=${restart}>${isDone ? 'Import others' : 'Start again'}</button>`}
            ${hasBegun && !isBusy && html`<button type="button" onClick=${() => save(outcomes)}>Save the report</button>`}
            ${
              isDone
                ? html`<a class="button primary" href=${hrefOf('/keys', { workspaceId: workspaceId.value })}>To the keys</a>`
                : html`<button type="button" class="primary" disabled=${isBusy || ready === 0} onClick=${() => void send()}>
                    ${isBusy ? 'Importing…' : hasBegun ? 'Go on' : ready === 0 ? 'Import' : `Import ${plural(ready, 'key')}`}
                  </button>`
            }
          </span>
        </div>
      </div>
      ${rows.length > 0 && html`<div class="card">${hasBegun ? html`<${Outcomes} outcomes=${outcomes} unit=${unit} />` : html`<${Preview} rows=${rows} unit=${unit} />`}</div>`}
    </div>
  `;
}

/** Sends one batch after the other; one that was refused, or whose answer was lost, is sent again. */
function useSending(batches: ReturnType<typeof batchesOf>) {
  const outcomes = useSignal<readonly Outcome[]>([]);
  const sent = useSignal(0);
  const { error, isBusy, run } = useAction();
  const intent = useIntent();
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
    },
    [],
  );
  const isDone = sent.value > 0 && sent.value === batches.length;
  const isUnfinished = isBusy.value || (sent.value > 0 && !isDone);
  useHeldPage(isUnfinished, () => announce('Finish the import first, or start again.'));
  const sendBatch = async (batch: (typeof batches)[number]) => {
    const body = { workspaceId: workspaceId.value, keys: batch.map(({ item }) => item) };
    const headers = intent.headersFor(body);
    const report = await answerOf(api.POST('/v1/keys/import', { headers, body }));
    intent.fulfil();
    outcomes.value = [...outcomes.value, ...outcomesOf(batch, report)];
    sent.value++;
  };
  const send = () =>
    run(async () => {
      for (const batch of batches.slice(sent.value)) {
        if (isGone.current) return;
        await sendBatch(batch);
      }
      announce(countsText(outcomes.value));
    });
  const reset = () => {
    outcomes.value = [];
    sent.value = 0;
    error.value = null;
  };
  const state = { outcomes: outcomes.value, error: error.value, isBusy: isBusy.value };
  return { ...state, isDone, send, reset };
}

function stateText(sent: number, ready: number, all: number): string {
  if (sent > 0) return `${formatNumber(sent)} of ${formatNumber(ready)} sent`;
  if (all === 0) return 'Nothing to import yet.';
  const left = all - ready;
  return left === 0 ? `${plural(all, 'line')}, all ready` : `${plural(left, 'line')} left out`;
}

function countsText(outcomes: readonly Outcome[]): string {
  const count = (status: string) => outcomes.filter((one) => one.status === status).length;
  const [created, known, refused] = [count('created'), count('duplicate'), count('invalid')];
  return [
    `${plural(created, 'key')} created`,
    ...(known > 0 ? [`${formatNumber(known)} known already`] : []),
    ...(refused > 0 ? [`${formatNumber(refused)} refused`] : []),
  ].join(', ');
}

/** As JSON lines; it holds no digest. */
function save(outcomes: readonly Outcome[]): void {
  const lines = outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`);
  download(new Blob(lines, { type: 'application/jsonl' }), 'import-report.jsonl');
}
