import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { Key } from '../api-types.ts';
import { Loaded, Skeleton } from '../components/states.ts';
import { WorkspaceName } from '../components/workspace-name.ts';
import { useResource } from '../resource.ts';
import { hrefOf, place, withQuery } from '../router.ts';
import { may } from '../session.ts';
import { isEvery, workspaceId } from '../workspace.ts';
import { KeyAction } from './keys/action.ts';
import { NoKeys } from './keys/empty.ts';
import { Filters } from './keys/filters.ts';
import { KeyTable } from './keys/table.ts';
import { SORTS, USES, useOf, VIEWS, viewOf } from './keys/views.ts';

const PAGE_SIZE = 25;

export function KeysPage() {
  const { query } = place.value;
  const view = viewOf(query.get('view'));
  const filters = {
    search: query.get('search') ?? '',
    ownerId: query.get('ownerId') ?? '',
    scope: query.get('scope') ?? '',
    used: useOf(query.get('used')),
  };
  const sort = SORTS.find(([name]) => name === query.get('sort'))?.[0] ?? null;
  const cursor = query.get('cursor');
  const keys = useResource(
    () =>
      answerOf(
        api.GET('/v1/keys', {
          params: {
            query: {
              workspaceId: workspaceId.value,
              limit: PAGE_SIZE,
              ...VIEWS[view].filter(),
              ...USES[filters.used].filter(),
              ...(filters.search && { search: filters.search }),
              ...(filters.ownerId && { ownerId: filters.ownerId }),
              ...(filters.scope && { scope: filters.scope }),
              ...(sort && { sort }),
              ...(cursor && { cursor }),
            },
          },
        }),
      ),
    [workspaceId.value, view, ...Object.values(filters), sort, cursor],
  );
  const acting = useSignal<Acting | null>(null);
  const isFiltered = Object.values(filters).some((value) => value !== '');
  return html`
    <header class="page-head">
      <div>
        <h1>Keys</h1>
        <p><${WorkspaceName} /></p>
      </div>
      <div class="row">
        ${
          may('keys:write') &&
          !isEvery.value &&
          html`
            <a class="button" href=${hrefOf('/keys/import', { workspaceId: workspaceId.value })}>Import</a>
            <a class="button primary" href=${hrefOf('/keys/new', { workspaceId: workspaceId.value })}>Create key</a>
          `
        }
      </div>
    </header>
    <nav class="tabs" aria-label="Views">
      ${Object.entries(VIEWS).map(
        ([name, { title }]) => html`
        <a href=${hrefOf('/keys', withQuery({ view: name, cursor: null }))} aria-current=${name === view ? 'page' : undefined}>${title}</a>
      `,
      )}
    </nav>
    <${Filters} filters=${filters} sort=${sort} />
    <${Loaded} resource=${keys} skeleton=${html`<${Skeleton} lines=${12} />`}>
      ${(page: { data: Key[]; nextCursor: string | null }) => html`
        <${KeyTable} keys=${page.data} nextCursor=${page.nextCursor} reload=${keys.reload}
          act=${(id: string, action: string) => {
            acting.value = { id, action };
          }}
          empty=${html`<${NoKeys} isFiltered=${isFiltered} view=${view} />`} />
      `}
    <//>
    ${
      acting.value &&
      html`<${KeyAction} key=${acting.value.id} ...${acting.value} onDone=${keys.reload} onClose=${() => {
        acting.value = null;
      }} />`
    }
  `;
}

interface Acting {
  id: string;
  action: string;
}
