import { platform } from 'node:os';
import { type Answer, Connection } from '../../../bench/harness/connection.ts';

/**
 * Victims come from another address than the attackers, so that a bound by address is not met by
 * the one through the other. Linux alone has all of 127.0.0.0/8.
 */
const FROM = platform() === 'linux' ? '127.0.0.2' : undefined;
/** Longer than any time-out of the service for a call. */
const WITHIN_MS = 20_000;

/** One connection of a victim, opened again after a loss. */
export class VictimCaller {
  readonly #url: string;
  readonly #authorization: string;
  #connection: Connection | null = null;

  constructor(url: string, managementKey: string) {
    this.#url = url;
    this.#authorization = `Bearer ${managementKey}`;
  }

  /** Never rejects: without an answer the status is 0 and the body says why. */
  async post(path: string, body: object): Promise<Answer> {
    if (this.#connection?.isLost) this.#connection = null;
    this.#connection ??= new Connection(this.#url, FROM);
    const connection = this.#connection;
    const request = connection.prepare(path, this.#authorization, JSON.stringify(body));
    const { promise: late, resolve } = Promise.withResolvers<Answer>();
    const timer = setTimeout(() => {
      this.close();
      resolve({ status: 0, body: 'no answer' });
    }, WITHIN_MS);
    const lost = (): Answer => ({ status: 0, body: 'connection lost' });
    const answer = await Promise.race([connection.send(request).catch(lost), late]);
    clearTimeout(timer);
    return answer;
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
  }
}
