import { html } from 'htm/preact';
import { answerOf, api } from '../api.ts';
import type { Schemas } from '../api-types.ts';
import { Dialog } from '../components/dialog.ts';
import { useIntent } from '../intent.ts';

type Request = Schemas['CreateKeyRequest'];

interface Created {
  id: string;
  /** Null: it was created by an attempt before, whose answer did not arrive. */
  key: string | null;
}

/** Creates a key. A repetition of the same request, as after a lost answer, creates no second one. */
export function useCreation(): (request: Request) => Promise<Created> {
  const intent = useIntent();
  return async (request) => {
    const headers = intent.headersFor(request);
    const { id, key } = await answerOf(api.POST('/v1/keys', { headers, body: request }));
    intent.fulfil();
    return { id, key };
  };
}

export function LostString({ onClose }: { onClose: () => void }) {
  return html`
    <${Dialog} title="It was done, but the new string is lost" onClose=${onClose}>
      <p>The first answer did not arrive, and Keyward shows a string only once. Rotate the key to get another one.</p>
      <div class="actions"><button type="button" class="primary" onClick=${onClose}>To the key</button></div>
    <//>
  `;
}
