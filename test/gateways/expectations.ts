import { expect } from 'vitest';
import type { Fixture } from './fixture.ts';
import type { Answer, Received } from './http.ts';

/** A path that any valid key may reach. */
export const ANY_KEY = '/reports/1';
/** The origins of web pages that may call the API: that of the example, and a second one. */
export const ORIGIN = 'https://app.example.com';
export const OTHER_ORIGIN = 'https://admin.example.com';

export const perMinute = (limit: number) => ({ name: 'minute', limit, windowSeconds: 60 });

/** A key for one project alone, without any scope of `orders`. */
export function createWeakKey({ createKey }: Fixture) {
  return createKey({ scopes: ['projects:read'], resources: ['project:alpha'] });
}

/** The identity headers that the API received, without empty ones, and all with similar names. */
export function identityIn(request: Received | undefined): Record<string, string> {
  const headers = Object.entries(request?.headers ?? {});
  const named = headers.filter(([name, value]) => /^x[-_]keyward/.test(name) && value !== '');
  return Object.fromEntries(named.map(([name, value]) => [name, String(value)]));
}

export function expectClosed(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, body: JSON.parse(answer.body) }).toMatchObject({
    status,
    body: { status, code },
  });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.headers['cache-control']).toBe('no-store');
}
