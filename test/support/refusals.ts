import pg from 'pg';
import { expect } from 'vitest';
import type { Answer } from './instance.ts';

/** A digest of everything that a refused call must not change. */
const DIGEST_QUERY = `
  select md5(coalesce(string_agg(row, '' order by row), '')) as digest from (
    select to_jsonb(k)::text as row from keys k
    union all select to_jsonb(s)::text from secrets s
    union all select to_jsonb(w)::text from workspaces w
    union all select to_jsonb(a)::text from audit_events a
    union all select to_jsonb(u)::text from key_usage u
  ) as rows`;

export interface Refusal {
  status: number;
  code: string;
  /** That of one of `errors`; left out if no field is refused. */
  pointer?: string;
}

/** Checks that calls are refused, and that refused calls write nothing. */
export class RefusalChecker {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(databaseUrl: string): Promise<RefusalChecker> {
    const client = new pg.Client({ connectionString: databaseUrl });
    client.on('error', () => {});
    await client.connect();
    return new RefusalChecker(client);
  }

  /** The call must be refused in this way, as problem+json, and must not write anything. */
  async expectRefused(call: () => Promise<Answer>, refusal: Refusal): Promise<Answer> {
    const before = await this.#digest();
    const answer = await call();
    expectProblem(answer, refusal);
    expect(await this.#digest()).toBe(before);
    return answer;
  }

  close(): Promise<void> {
    return this.#client.end();
  }

  async #digest(): Promise<string | undefined> {
    const { rows } = await this.#client.query<{ digest: string }>(DIGEST_QUERY);
    return rows[0]?.digest;
  }
}

export function expectProblem(answer: Answer, { status, code, pointer }: Refusal): void {
  expect({ status: answer.status, code: answer.body?.code }).toEqual({ status, code });
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  const { type, title, detail, errors, requestId } = answer.body;
  expect({ type, status: answer.body.status }).toEqual({ type: 'about:blank', status });
  for (const text of [title, detail, requestId]) expect(text).toEqual(expect.stringMatching(/./));
  expect(answer.headers['x-request-id']).toBe(requestId);
  const pointers = errors.map((error: { pointer: string }) => error.pointer);
  if (pointer === undefined) expect(pointers).toEqual([]);
  else {
    expect(pointers).toContain(pointer);
    // The detail can be read alone.
    expect(detail).toContain(`${errors[0].pointer}: ${errors[0].detail}`);
  }
}
