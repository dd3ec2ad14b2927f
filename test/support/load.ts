import type { KeywardClient } from './client.ts';

const CALLERS = 8;

export interface Load {
  /** Verifications that were sent, answered or not. */
  sent: () => number;
  /** When each answer came, by `performance.now()`. */
  answered: readonly number[];
  /** Resolves when every caller has found the server gone, or was told to stop. */
  ended: Promise<unknown>;
  stop: () => Promise<unknown>;
}

/** Verifies a key with several concurrent callers, without pauses, until the server is gone. */
export function verifyContinuously(client: KeywardClient, key: string): Load {
  const answered: number[] = [];
  let sent = 0;
  let stopped = false;
  const call = async () => {
    while (!stopped) {
      sent++;
      const { data } = await client.POST('/v1/verify', { body: { key } });
      if (data) answered.push(performance.now());
    }
  };
  const callers = Array.from({ length: CALLERS }, () => call().catch(() => undefined));
  const ended = Promise.all(callers);
  const stop = () => {
    stopped = true;
    return ended;
  };
  return { sent: () => sent, answered, ended, stop };
}
