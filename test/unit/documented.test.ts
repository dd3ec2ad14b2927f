import { describe, expect, it } from 'vitest';
import { requireDocumented } from '../support/documented.ts';

const answer = (status: number, body: object, headers = {}) => ({
  status,
  body,
  headers,
  text: '',
});

describe('the check of every answer that tests get', () => {
  it('an error that the document does not list for its call fails the test that gets it', () => {
    const conflict = answer(409, { code: 'KEY_REVOKED' });
    expect(() => requireDocumented('PATCH', '/v1/keys/key_1', conflict)).not.toThrow();
    expect(() => requireDocumented('GET', '/v1/keys?limit=1', conflict)).toThrow(
      'listKeys answers 409 KEY_REVOKED, which its route does not list',
    );
  });

  it('a status that the document does not list for its call fails the test that gets it', () => {
    expect(() => requireDocumented('POST', '/v1/keys/import', answer(201, {}))).toThrow(
      'importKeys answers 201, which its route does not list',
    );
  });

  it('a header that the document does not name for its call fails the test that gets it', () => {
    const tagged = answer(200, {}, { etag: '"1"' });
    expect(() => requireDocumented('GET', '/v1/keys/key_1', tagged)).not.toThrow();
    expect(() => requireDocumented('GET', '/v1/keys', tagged)).toThrow(
      'listKeys answers 200 with etag, which no header names',
    );
  });
});
