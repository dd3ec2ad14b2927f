import { answerOf, api, done } from '../../api.ts';
import type { Schemas } from '../../api-types.ts';

/** A webhook with the entity tag of the state that is shown, for changes of that state alone. */
export interface ReadWebhook {
  webhook: Schemas['Webhook'];
  etag: string;
}

export async function readWebhook(id: string): Promise<ReadWebhook> {
  const call = api.GET('/v1/webhooks/{id}', { params: { path: { id } } });
  const webhook = await answerOf(call);
  return { webhook, etag: (await call).response.headers.get('etag') ?? '*' };
}

export function setEnabled({ id }: Schemas['Webhook'], enabled: boolean): Promise<void> {
  return done(api.PATCH('/v1/webhooks/{id}', { params: { path: { id } }, body: { enabled } }));
}

/** How many events were queued. */
export async function redeliver(id: string, body: Schemas['RedeliverRequest']): Promise<number> {
  const call = api.POST('/v1/webhooks/{id}/redeliver', { params: { path: { id } }, body });
  return (await answerOf(call)).queued;
}
