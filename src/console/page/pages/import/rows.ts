import { html } from 'htm/preact';
import type { Schemas } from '../../api-types.ts';
import { Pill } from '../../components/status.ts';
import { formatNumber } from '../../format.ts';
import { hrefOf } from '../../router.ts';
import { workspaceId } from '../../workspace.ts';
import type { ImportRow } from './parse.ts';

/** What became of a row. */
export interface Outcome {
  line: number;
  name: string;
  status: string;
  keyId: string | null;
  reason: string;
}

/** The answers of the API, in the order of the rows that were sent. */
export function outcomesOf(
  rows: readonly ImportRow[],
  { results }: Schemas['ImportReport'],
): Outcome[] {
  return rows.map(({ line, name }, index) => {
    const { status = 'unknown', keyId = null, errors = [] } = results[index] ?? {};
    const reason = errors.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`).join('; ');
    return { line, name, status, keyId, reason };
  });
}

const SHOWN = 100;

/** Rows with a fault come first: they are what there is to do. */
export function Preview({ rows, unit }: { rows: readonly ImportRow[]; unit: string }) {
  const faulty = rows.filter(({ fault }) => fault !== null);
  const shown = [...faulty, ...rows.filter(({ fault }) => fault === null)].slice(0, SHOWN);
  return html`
    <${Table} heads=${[unit, 'Name', 'Owner', 'Digest', 'Check']} more=${rows.length - shown.length}>
      ${shown.map(
        ({ line, name, item, fault }) => html`
          <tr key=${line}>
            <td>${formatNumber(line)}</td>
            <td><div class="name">${name || html`<span class="soft">none</span>`}</div></td>
            <td>${item?.ownerId ?? html`<span class="soft">none</span>`}</td>
            <td>${item && html`<code>${item.hash.algorithm} ${item.hash.value.slice(0, 8)}…</code>`}</td>
            <td>${fault === null ? html`<${Pill} tone="good" text="Ready" />` : html`<${Pill} tone="bad" text="Left out" /> ${fault}`}</td>
          </tr>
        `,
      )}
    <//>
  `;
}

const RESULTS = {
  created: { tone: 'good', text: 'Created' },
  duplicate: { tone: 'neutral', text: 'Known already' },
  invalid: { tone: 'bad', text: 'Refused' },
} as const;

function isKnown(status: string): status is keyof typeof RESULTS {
  return Object.hasOwn(RESULTS, status);
}

/** What was refused comes first. */
export function Outcomes({ outcomes, unit }: { outcomes: readonly Outcome[]; unit: string }) {
  const refused = outcomes.filter(({ status }) => status === 'invalid');
  const rest = outcomes.filter(({ status }) => status !== 'invalid');
  const shown = [...refused, ...rest].slice(0, SHOWN);
  return html`
    <${Table} heads=${[unit, 'Name', 'Result', 'Reason']} more=${outcomes.length - shown.length}>
      ${shown.map(({ line, name, status, keyId, reason }) => {
        const pill = isKnown(status) ? RESULTS[status] : { tone: 'neutral', text: status };
        return html`
          <tr key=${line}>
            <td>${formatNumber(line)}</td>
            <td><div class="name">${keyId ? html`<a href=${hrefOf(`/keys/${keyId}`, { workspaceId: workspaceId.value })}>${name}</a>` : name}</div></td>
            <td><${Pill} ...${pill} /></td>
            <td>${reason}</td>
          </tr>
        `;
      })}
    <//>
  `;
}

interface TableProps {
  heads: readonly string[];
  more: number;
  children: unknown;
}

function Table({ heads, more, children }: TableProps) {
  return html`
    <div class="table-wrap" tabindex="0" role="region" aria-label="What the file has">
      <table>
        <thead><tr>${heads.map((head) => html`<th>${head}</th>`)}</tr></thead>
        <tbody>${children}</tbody>
      </table>
    </div>
    ${more > 0 && html`<div class="table-foot"><span>${formatNumber(more)} more are not shown.</span></div>`}
  `;
}
