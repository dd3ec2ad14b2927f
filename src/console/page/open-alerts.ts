import { signal } from '@preact/signals';
import { answerOf, api } from './api.ts';
import { useResource } from './resource.ts';
import { may } from './session.ts';
import { workspaceId } from './workspace.ts';

const COUNTED = 99;

/** Counts the changes of alerts that were made here. */
const turn = signal(0);

/** Alerts were acknowledged, so that fewer are to be looked at. */
export function alertsChanged(): void {
  turn.value++;
}

/** How many alerts nobody has acknowledged yet, such as “3” or “99+”; null: none, or not known. */
export function useOpenAlerts(path: string): string | null {
  const { data } = useResource(async () => {
    if (!may('alerts:read')) return null;
    const query = { workspaceId: workspaceId.value, state: 'open', acknowledged: false } as const;
    const call = api.GET('/v1/alerts', { params: { query: { ...query, limit: COUNTED } } });
    const page = await answerOf(call).catch(() => null);
    if (!page || page.data.length === 0) return null;
    return page.nextCursor ? `${COUNTED}+` : String(page.data.length);
  }, [workspaceId.value, path, turn.value]);
  return data;
}
