import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useAction } from '../../action.ts';
import { type ApiError, answerOf, api } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';
import { Failure } from '../../components/states.ts';
import { Time } from '../../components/time.ts';
import { plural } from '../../format.ts';
import { hrefOf } from '../../router.ts';
import { idlePolicyOf, type WatchForm } from './watch-form.ts';
import { IDLE_FIELDS } from './watching.ts';

type Policy = Schemas['IdlePolicy'];
type Report = Schemas['IdleKeyPage'];
type IdleKey = Report['data'][number];

const PAGE_SIZE = 50;

interface Props {
  workspaceId: string;
  form: WatchForm;
}

/** What the idle policy would do, as it stands in the form. Nothing is changed. */
export function DryRun({ workspaceId, form }: Props) {
  const policy = idlePolicyOf(form);
  const asked = JSON.stringify(policy);
  const answer = useSignal<{ asked: string; report: Report } | null>(null);
  const { error, isBusy, run } = useAction();
  const read = (cursor: string | null) =>
    run(async () => {
      const report = await readReport(workspaceId, policy, cursor);
      const before = cursor === null ? [] : (answer.value?.report.data ?? []);
      answer.value = { asked, report: { ...report, data: [...before, ...report.data] } };
    });
  // What was answered for other values says nothing of these.
  const report = answer.value?.asked === asked ? answer.value.report : null;
  return html`
    <div class="stack">
      <div class="row">
        <button type="button" disabled=${isBusy.value} onClick=${() => void read(null)}>${isBusy.value ? 'Looking…' : 'What would happen?'}</button>
        <span class="soft">With these values, if they came into force now. Nothing is changed.</span>
      </div>
      ${error.value && html`<${Refusal} error=${error.value} />`}
      <div role="status">${report && html`<p>${summaryOf(report)}</p>${isHeldBack(report.policy, policy) && html`<p class="soft">Nothing of a suspended workspace is disabled or revoked.</p>`}`}</div>
      ${report && report.data.length > 0 && html`<${Steps} report=${report} workspaceId=${workspaceId} />`}
      ${report?.nextCursor && html`<div class="row"><button type="button" disabled=${isBusy.value} onClick=${() => void read(report.nextCursor)}>Look further</button></div>`}
    </div>
  `;
}

/** What is wrong with a value, by the name that it has here. */
function Refusal({ error }: { error: ApiError }) {
  const { errors } = error.problem;
  if (errors.length === 0) return html`<${Failure} error=${error} />`;
  const labelOf = (pointer: string) =>
    IDLE_FIELDS.find(([name]) => pointer === `/query/${name}`)?.[1] ?? pointer;
  return html`
    <div class="notice bad" role="alert">
      <b>With these values there is nothing to say</b>
      ${errors.map(({ pointer, detail }) => html`<span>${labelOf(pointer)}: ${detail}</span>`)}
    </div>
  `;
}

function readReport(workspaceId: string, policy: Policy, cursor: string | null): Promise<Report> {
  const query = {
    workspaceId,
    warnAfterDays: policy.warnAfterDays ?? 0,
    disableAfterDays: policy.disableAfterDays ?? 0,
    revokeAfterDays: policy.revokeAfterDays ?? 0,
    noticeDays: policy.noticeDays,
    limit: PAGE_SIZE,
    ...(cursor && { cursor }),
  };
  return answerOf(api.GET('/v1/reports/idle-keys', { params: { query } }));
}

function isHeldBack(applied: Policy, asked: Policy): boolean {
  const steps = ['disableAfterDays', 'revokeAfterDays'] as const;
  return steps.some((name) => applied[name] === null && asked[name] !== null);
}

/** What a key would do, and what the line of a key says. */
const STEPS: Record<string, readonly [would: string, will: string]> = {
  warn: ['get an alert', 'Alert'],
  disable: ['be disabled', 'Disabled'],
  revoke: ['be revoked', 'Revoked'],
};

/** Such as “3 keys would get an alert, 1 key would be disabled.” */
function summaryOf({ data, nextCursor, policy }: Report): string {
  if (policy.warnAfterDays === null) return 'Nothing: without an alert nothing follows.';
  const counts = Object.entries(STEPS).flatMap(([step, [would]]) => {
    const count = data.filter(({ steps }) => steps.some((one) => one.step === step)).length;
    return count === 0 ? [] : [`${plural(count, 'key')} would ${would}`];
  });
  if (counts.length === 0) return nextCursor ? 'Nothing so far.' : 'Nothing would happen.';
  return `${counts.join(', ')}${nextCursor ? ', so far' : ''}, unless somebody uses them before.`;
}

function Steps({ report, workspaceId }: { report: Report; workspaceId: string }) {
  return html`
    <div class="table-wrap framed" tabindex="0" role="region" aria-label="What would happen">
      <table>
        <thead><tr><th>Key</th><th>Last used</th><th>What would happen</th></tr></thead>
        <tbody>${report.data.map((key) => html`<${Row} key=${key.id} idle=${key} asOf=${report.asOf} workspaceId=${workspaceId} />`)}</tbody>
      </table>
    </div>
  `;
}

interface RowProps {
  idle: IdleKey;
  asOf: string;
  workspaceId: string;
}

function Row({ idle, asOf, workspaceId }: RowProps) {
  return html`
    <tr>
      <td>
        <div class="name"><a href=${hrefOf(`/keys/${idle.id}`, { workspaceId })}>${idle.name}</a></div>
        <div class="below">${idle.ownerId ?? 'no owner'}${!idle.enabled && ' · disabled'}</div>
      </td>
      <td class="nowrap"><${Time} at=${idle.lastUsedAt} none="Never" /></td>
      <td>
        ${idle.warnedAt && html`<div class="soft">Alert of <${Time} at=${idle.warnedAt} as="date" /></div>`}
        ${idle.steps.map(({ step, at }) => html`<div key=${step}>${STEPS[step]?.[1] ?? step} ${at <= asOf ? html`<b>now</b>` : html`on <${Time} at=${at} as="date" />`}</div>`)}
      </td>
    </tr>
  `;
}
