import type { CallOptions, Instance } from './instance.ts';

/** Resolves nowhere, so nothing is ever sent. */
export const RECEIVER = 'https://receiver.invalid/hooks/keyward';

/** Creates a webhook, with the root key unless another is given. */
export async function createWebhook(instance: Instance, body: object = {}, options?: CallOptions) {
  const answer = await instance.call('POST', '/v1/webhooks', {
    body: { url: RECEIVER, ...body },
    ...options,
  });
  if (answer.status !== 201) throw new Error(`no webhook: ${answer.text}`);
  return { ...answer.body, id: String(answer.body.id), etag: String(answer.headers.etag) };
}

/** The deliveries of a webhook, newest first. */
export async function deliveriesOf(instance: Instance, id: string, query = '') {
  return (await instance.call('GET', `/v1/webhooks/${id}/deliveries${query}`)).body.data;
}

/** The types of what was queued for a webhook, oldest first. */
export async function queuedTypes(instance: Instance, id: string): Promise<string[]> {
  const deliveries: { eventType: string }[] = await deliveriesOf(instance, id);
  return deliveries.map(({ eventType }) => eventType).reverse();
}
