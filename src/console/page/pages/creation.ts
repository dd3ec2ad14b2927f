import { html } from 'htm/preact';
import { useRef } from 'preact/hooks';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { Dialog } from '../components/dialog.ts';

type Request = Schemas['CreateKeyRequest'];

interface Created {
  id: string;
  /** Null: it was created by an attempt before, whose answer did not arrive. */
  key: string | null;
}

/** Creates a key. A repetition of the same request, as after a lost answer, creates no second one. */
export function useCreation(): (request: Request) => Promise<Created> {
  const attempt = useRef({ body: '', id: '' });
  return async (request) => {
    const body = JSON.stringify(request);
    if (attempt.current.body !== body) attempt.current = { body, id: crypto.randomUUID() };
    const headers = { 'Idempotency-Key': attempt.current.id };
    const { id, key } = await answerOf(api.POST('/v1/keys', { headers, body: request }));
    attempt.current = { body: '', id: '' };
    return { id, key };
  };
}

export function LostString({ onClose }: { onClose: () => void }) {
  return html`
    <${Dialog} title="The key was created, but its string is lost" onClose=${onClose}>
      <p>The first answer did not arrive, and Keyward shows a string only once. Rotate the key to get a new one.</p>
      <div class="actions"><button type="button" class="primary" onClick=${onClose}>To the key</button></div>
    <//>
  `;
}
