import { beforeAll, describe, expect, it } from 'vitest';
import { PERMISSIONS, type Permission } from '../../src/domain/caller.ts';
import {
  type Operation,
  OTHERWISE_AUTHENTICATED,
  operationsOf,
  PERMISSION_OF,
} from '../support/operations.ts';
import { createManagementKey, usePair } from '../support/pair.ts';

const ID = '0'.repeat(22);

describe('permissions', () => {
  const pair = usePair();
  let operations: Operation[];
  let others: Operation[];
  const only = new Map<Permission, string>();
  const allBut = new Map<Permission, string>();

  beforeAll(async () => {
    const { body } = await pair.first.call('GET', '/openapi.json');
    const all = operationsOf(body.paths).filter(({ path }) => path.startsWith('/v1/'));
    operations = all.filter((one) => !one.isOtherwiseAuthenticated);
    others = all.filter((one) => one.isOtherwiseAuthenticated);
    for (const permission of PERMISSIONS) {
      only.set(permission, (await make([permission])).key);
      const allOthers = PERMISSIONS.filter((other) => other !== permission);
      allBut.set(permission, (await make(allOthers)).key);
    }
  });

  const make = (permissions: readonly Permission[]) =>
    createManagementKey(pair.first, { permissions });
  const call = async ({ method, path, hasBody }: Operation, as: string | null) => {
    const kind = { 'management-keys': 'mk', webhooks: 'wh' }[path.split('/')[2] ?? ''] ?? 'key';
    const id = `${kind}_${ID}`;
    const options = hasBody ? { as, body: {} } : { as };
    return (await pair.second.call(method, path.replace(/\{\w+\}/, id), options)).status;
  };
  const outcomes = async (keyFor: (operation: Operation) => string | null) =>
    Object.fromEntries(
      await Promise.all(operations.map(async (one) => [one.id, await call(one, keyFor(one))])),
    );
  const each = (status: number) => Object.fromEntries(operations.map(({ id }) => [id, status]));
  const permissionOf = ({ id }: Operation): Permission => {
    const permission = PERMISSION_OF[id];
    if (!permission) throw new Error(`no permission is known for ${id}`);
    return permission;
  };

  it('every call of the API is in the table of permissions', () => {
    expect(operations.map(({ id }) => id).sort()).toEqual(Object.keys(PERMISSION_OF).sort());
    expect(others.map(({ id }) => id).sort()).toEqual(OTHERWISE_AUTHENTICATED);
  });

  it('every call without a management key answers 401', async () => {
    expect(await outcomes(() => null)).toEqual(each(401));
  });

  it('every call with all permissions but its own answers 403', async () => {
    const answered = await outcomes((one) => allBut.get(permissionOf(one)) ?? null);
    expect(answered).toEqual(each(403));
  });

  it('every call is allowed by its own permission alone, and by no other', async () => {
    for (const permission of PERMISSIONS) {
      const answered = await outcomes(() => only.get(permission) ?? null);
      for (const one of operations) {
        const isAllowed = answered[one.id] !== 401 && answered[one.id] !== 403;
        expect([one.id, permission, isAllowed]).toEqual([
          one.id,
          permission,
          permission === permissionOf(one),
        ]);
      }
    }
  });
});
