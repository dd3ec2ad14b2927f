import type { Random } from '../history/harness/random.ts';
import type { HttpAnswer } from './http.ts';

type Call = (method: string, path: string, body?: object) => Promise<HttpAnswer>;

/** A key that no other request uses, so that its counters must equal its verdicts. */
export class Sentinel {
  readonly #call: Call;
  readonly #id: string;
  readonly #key: string;
  readonly #counts: Record<string, number> = {};

  private constructor(call: Call, id: string, key: string) {
    this.#call = call;
    this.#id = id;
    this.#key = key;
  }

  static async make(call: Call): Promise<Sentinel> {
    await call('PUT', '/v1/workspaces/sentinel', {});
    const body = { name: 'sentinel', workspaceId: 'sentinel', scopes: ['read'] };
    const { text } = await call('POST', '/v1/keys', body);
    const { id, key } = JSON.parse(text);
    return new Sentinel(call, String(id), String(key));
  }

  get key(): string {
    return this.#key;
  }

  /** Verifies it, and returns what is wrong with the verdict. */
  async verify(random: Random): Promise<string[]> {
    const denied = random.chance(0.3);
    const body = { key: this.#key, ...(denied && { requiredScopes: ['write'] }) };
    const { status, text } = await this.#call('POST', '/v1/verify', body);
    if (status === 503) return [];
    const expected = denied ? 'INSUFFICIENT_SCOPE' : 'VALID';
    const { code } = JSON.parse(text);
    this.#counts[expected] = (this.#counts[expected] ?? 0) + 1;
    return code === expected ? [] : [`the untouched key is ${code} instead of ${expected}`];
  }

  /** The counts of the service, and the expected ones. */
  async counts(): Promise<{ told: unknown; expected: unknown }> {
    const path = `/v1/keys/${this.#id}/usage?workspaceId=sentinel`;
    const { byCode } = JSON.parse((await this.#call('GET', path)).text);
    return { told: byCode, expected: this.#counts };
  }
}
