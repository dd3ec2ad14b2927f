import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openapiDocument } from '../../openapi/document.ts';
import { permissionTables, permittedCalls } from '../../openapi/permissions-page.ts';
import { PERMISSIONS } from '../../src/domain/caller.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/permissions.md'), 'utf8');

describe('the permissions', () => {
  let document: object;
  beforeAll(async () => {
    document = await openapiDocument();
  });

  it('docs/permissions.md has every call of the API with its permission, its answer and the fields that it takes', () => {
    const tables = permissionTables({ ...document });
    for (const { name } of permittedCalls({ ...document })) expect(tables).toContain(`\`${name}\``);
    expect(PAGE.endsWith(tables), 'run `npm run openapi`').toBe(true);
  });

  it('every call but those of a gateway, of a holder and of those who report leaks requires a permission that exists', () => {
    const calls = permittedCalls({ ...document });
    const free = calls.filter(({ permission }) => permission === null);
    expect(free.map(({ name }) => name).sort()).toEqual([
      'GET /v1/authorize',
      'GET /v1/whoami',
      'POST /v1/leaks',
      'POST /v1/leaks/github',
      'POST /v1/whoami/revoke',
    ]);
    const required = new Set(calls.flatMap(({ permission }) => permission ?? []));
    expect([...required].sort()).toEqual([...PERMISSIONS].sort());
  });

  it('docs/permissions.md says of each permission what it reads and changes', () => {
    for (const permission of PERMISSIONS) {
      expect(PAGE).toMatch(new RegExp(`^\\| \`${permission}\` \\| .+ \\| .+ \\|$`, 'm'));
    }
  });
});
