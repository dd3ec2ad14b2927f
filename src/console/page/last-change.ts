import { answerOf, api } from './api.ts';
import { may } from './session.ts';

/** When something was changed, and by whom; null where the reader may not know. */
export interface Change {
  at: string | null;
  by: string | null;
}

/** The newest entry of the audit log about something. */
export async function readLastChange(targetId: string, workspaceId: string): Promise<Change> {
  const query = { targetId, workspaceId, limit: 1 };
  const call = () => answerOf(api.GET('/v1/audit-events', { params: { query } }));
  const page = may('audit:read') ? await call().catch(() => null) : null;
  const [event] = page?.data ?? [];
  if (!event) return { at: null, by: null };
  return { at: event.time, by: event.actor.onBehalfOf ?? event.actor.id };
}
