import { useRef } from 'preact/hooks';

/**
 * An Idempotency-Key for each thing that the reader wants: the same where a call is repeated because its
 * answer was lost, and another once it was answered or when something else is asked for.
 */
export function useIntent() {
  const intent = useRef({ text: '', id: '' });
  return {
    headersFor: (asked: unknown) => {
      const text = JSON.stringify(asked);
      if (intent.current.text !== text) intent.current = { text, id: crypto.randomUUID() };
      return { 'Idempotency-Key': intent.current.id };
    },
    fulfil: () => {
      intent.current = { text: '', id: '' };
    },
  };
}
