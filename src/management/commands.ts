import { type AuditOrigin, requireKeyedAsBefore } from '../audit/chain.ts';
import { Argon2Hasher } from '../credentials/argon2-hasher.ts';
import { SecretIssuer } from '../credentials/issuer.ts';
import type { Pepper } from '../credentials/pepper.ts';
import type { Orm } from '../db/database.ts';
import { readInstallation } from '../db/installation.ts';
import { DEFAULT_WORKSPACE, PERMISSIONS, type Permission, ROOT_CALLER } from '../domain/caller.ts';
import { KEY_SCAN_PATTERN } from '../domain/key-string.ts';
import { parseOptions, UsageError } from '../lib/command-line.ts';
import { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import type { CreateManagementKey } from './schemas.ts';
import { ManagementService } from './service.ts';

const NAME = /^(?=.*\S)\P{Cc}{1,100}$/u;
const KEY = new RegExp(KEY_SCAN_PATTERN);

/** The key that `management-key create` creates: by default with every permission, everywhere. */
export function parseManagementKeyArgs(words: string[]): CreateManagementKey {
  const { name, permissions, workspace } = parseOptions(words, {
    name: { type: 'string' },
    permissions: { type: 'string' },
    workspace: { type: 'string' },
  });
  if (name === undefined || !NAME.test(name)) {
    throw new UsageError('--name NAME is needed, 1 to 100 characters.');
  }
  if (KEY.test(name)) throw new UsageError('--name contains an API key.');
  return {
    name,
    permissions: permissions === undefined ? [...PERMISSIONS] : readPermissions(permissions),
    workspaceId: workspace ?? null,
  };
}

function readPermissions(text: string): Permission[] {
  const wanted = text.split(',').map((word) => word.trim());
  const known: readonly string[] = PERMISSIONS;
  const unknown = wanted.filter((word) => !known.includes(word));
  if (unknown.length > 0) {
    throw new UsageError(
      `--permissions: no such permission: ${unknown.join(', ')}; known: ${known.join(', ')}.`,
    );
  }
  return PERMISSIONS.filter((permission) => wanted.includes(permission));
}

interface CommandDependencies {
  orm: Orm;
  pepper: Pepper | null;
  argon2: ConstructorParameters<typeof Argon2Hasher>[0];
}

/** Access to the database is the authority. The key goes to stdout alone, the rest to stderr. */
export async function createManagementKey(
  { orm, pepper, argon2 }: CommandDependencies,
  requested: CreateManagementKey,
  origin: AuditOrigin,
): Promise<void> {
  await requireKeyedAsBefore(orm, requested.workspaceId ?? DEFAULT_WORKSPACE, pepper);
  const { checksumKey, clock } = await readInstallation(orm);
  const unitOfWork = new UnitOfWork(orm, clock, pepper);
  const issuer = new SecretIssuer(new Argon2Hasher(argon2), pepper, checksumKey);
  const service = new ManagementService({ orm, unitOfWork, issuer, clock });
  const call = { caller: ROOT_CALLER, ifMatch: null, idempotency: null, ...origin };
  const { body } = await service.create(call, requested);
  process.stderr.write(
    `${body.id} (${body.name}) for ${body.workspaceId ?? 'every workspace'}: ${body.permissions.join(', ')}.\n` +
      'Its key follows; it is not shown again.\n',
  );
  process.stdout.write(`${body.key}\n`);
}
