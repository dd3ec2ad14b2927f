import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { UsageQuery } from '../api-types.ts';
import { announce } from '../components/announce.ts';
import { download } from '../download.ts';
import { toApiError } from '../resource.ts';

/** All groups as CSV, which the API streams, into a file of the reader. */
export function ExportButton({ query }: { query: UsageQuery }) {
  const isBusy = useSignal(false);
  const save = async () => {
    isBusy.value = true;
    try {
      const call = api.GET('/v1/usage', {
        params: { query },
        headers: { Accept: 'text/csv' },
        parseAs: 'blob',
      });
      const file: unknown = await answerOf(call);
      if (file instanceof Blob) download(file, 'usage.csv');
    } catch (error) {
      announce(toApiError(error).message);
    } finally {
      isBusy.value = false;
    }
  };
  return html`<button type="button" disabled=${isBusy.value} onClick=${() => void save()}>${isBusy.value ? 'Exporting…' : 'Export CSV'}</button>`;
}
