import { html } from 'htm/preact';
import { useId } from 'preact/hooks';
import { Field } from '../../components/field.ts';

const EXAMPLE = '{"name": "CI deploys", "hash": {"algorithm": "sha256", "value": "9f86d081…"}}';

export interface Source {
  /** Null: it was typed or pasted. */
  fileName: string | null;
  text: string;
}

interface Props {
  source: Source;
  fault: string | undefined;
  set: (source: Source) => void;
}

/** A file, or what is pasted. Neither leaves the browser before the button is pressed. */
export function SourceField({ source: { fileName, text }, fault, set }: Props) {
  const id = useId();
  const choose = async ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
    const [file] = currentTarget.files ?? [];
    if (file) set({ fileName: file.name, text: await file.text() });
  };
  return html`
    <div class="field">
      <label for=${id}>File</label>
      <input id=${id} type="file" accept=".jsonl,.ndjson,.json,.csv,text/csv" aria-describedby="${id}-hint" onChange=${choose} />
      <div id="${id}-hint" class="hint">JSON, an object a line or one array of them, or CSV with the columns of <code>keyward import</code>.</div>
      ${fileName !== null && fault && html`<div class="fault" role="alert">${fault}</div>`}
    </div>
    ${
      fileName === null &&
      html`
        <${Field} label="Or paste its lines" rows=${8} value=${text} fault=${fault} placeholder=${EXAMPLE}
          hint="Digests of keys, never the keys themselves."
          onInput=${(value: string) => set({ fileName: null, text: value })} />
      `
    }
  `;
}
