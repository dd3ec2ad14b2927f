import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import { looksLikeKey } from '../key-text.ts';
import { useResource } from '../resource.ts';
import { navigate, place } from '../router.ts';
import { may } from '../session.ts';
import { EVERY_WORKSPACE, workspaceId } from '../workspace.ts';
import { announce } from './announce.ts';

const VALID = /^[A-Za-z0-9._-]{1,64}$/;
/** What is offered below the field; others are typed. */
const OFFERED = 100;

/** Whose keys the pages show. Only callers that are bound to no workspace can choose. */
export function WorkspaceField() {
  const known = useResource(async () => {
    if (!may('workspaces:read')) return [];
    const call = api.GET('/v1/workspaces', { params: { query: { limit: OFFERED } } });
    return (await answerOf(call)).data.map(({ id }) => id);
  }, []);
  const change = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
    const id = currentTarget.value.trim();
    if (id === EVERY_WORKSPACE || (VALID.test(id) && !looksLikeKey(id))) {
      const { path } = place.value;
      // What one page shows is of the workspace before.
      navigate(path.replace(/^(\/keys|\/webhooks)\/(key|wh)_.*/, '$1'), { workspaceId: id });
    } else {
      currentTarget.value = workspaceId.value;
      announce(
        'A workspace id has letters, digits, dots, dashes and underscores; * means every one.',
      );
    }
  };
  return html`
    <div class="workspace-field">
      <label for="workspace">Workspace</label>
      <input id="workspace" list="workspaces" value=${workspaceId.value} onChange=${change} autocomplete="off" />
      <datalist id="workspaces"><option value=${EVERY_WORKSPACE}>every workspace</option>${(known.data ?? []).map((id) => html`<option value=${id} />`)}</datalist>
    </div>
  `;
}
