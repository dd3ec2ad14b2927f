import { describe, expect, it } from 'vitest';
import { bearerToken } from '../../src/domain/bearer-token.ts';

describe('the credential in an Authorization header', () => {
  it.each([
    ['Bearer kw_secret', 'kw_secret'],
    ['bearer kw_secret', 'kw_secret'],
    ['BEARER kw_secret', 'kw_secret'],
    ['Bearer   kw_secret', 'kw_secret'],
    ['Bearer a', 'a'],
  ])('the header %j presents %j', (header, token) => {
    expect(bearerToken(header)).toBe(token);
  });

  it.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer  ',
    'Bearerkw_secret',
    ' Bearer kw_secret',
    'Basic Bearer kw_secret',
    'XBearer kw_secret',
    'Bearer kw_secret ',
    'Bearer kw_secret more',
    'Bearer\tkw_secret',
    'kw_secret',
    'Basic a3c6c2VjcmV0',
  ])('the header %j presents no credential', (header) => {
    expect(bearerToken(header)).toBeNull();
  });

  it('a request without an Authorization header presents no credential', () => {
    expect(bearerToken(undefined)).toBeNull();
  });
});
