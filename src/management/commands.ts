import { requireKeyedAsBefore } from '../audit/append.ts';
import { operatorOrigin } from '../audit/operator.ts';
import { Argon2Hasher } from '../credentials/argon2-hasher.ts';
import { SecretIssuer } from '../credentials/issuer.ts';
import { readInstallation } from '../db/installation.ts';
import { type CommandContext, type CommandDatabase, withDatabase } from '../db/open-for-command.ts';
import { DEFAULT_WORKSPACE, PERMISSIONS, type Permission, ROOT_CALLER } from '../domain/caller.ts';
import { KeyDetector } from '../http/key-detector.ts';
import { validatorOf } from '../http/validation/parsers.ts';
import { defineCommand } from '../lib/command.ts';
import { type OptionValues, UsageError } from '../lib/command-line.ts';
import { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import { CreateManagementKey } from './schemas.ts';
import { ManagementService } from './service.ts';

const OPTIONS = {
  name: { type: 'string', value: 'NAME', description: 'required: its name, for people' },
  permissions: {
    type: 'string',
    value: 'A,B,…',
    description: 'what it may do; every permission by default',
  },
  workspace: {
    type: 'string',
    value: 'ID',
    description: `the workspace that it is for; \`${DEFAULT_WORKSPACE}\` by default`,
  },
  'all-workspaces': { type: 'boolean', description: 'makes it for every workspace instead' },
} as const;

/** Access to the database is the authority. The key goes to stdout alone, the rest to stderr. */
export const createManagementKeyCommand = defineCommand({
  name: 'management-key create',
  summary: 'create a management key and print it once',
  options: OPTIONS,
  run: async ({ options }, context: CommandContext) => {
    const request = readManagementKeyOptions(options);
    const hasher = new Argon2Hasher(context.settings().argon2);
    const { body } = await withDatabase(context, (database) =>
      createManagementKey(database, hasher, request),
    );
    process.stderr.write(
      `${body.id} (${body.name}) for ${body.workspaceId ?? 'every workspace'}: ${body.permissions.join(', ')}.\n` +
        'Its key follows; it is not shown again.\n',
    );
    process.stdout.write(`${body.key}\n`);
    return 0;
  },
});

const errorsOf = validatorOf(CreateManagementKey);

/** The key that `management-key create` creates: by default with every permission in `default`. */
export function readManagementKeyOptions({
  name,
  permissions,
  workspace,
  'all-workspaces': everywhere = false,
}: OptionValues<typeof OPTIONS>): CreateManagementKey {
  if (name === undefined) throw new UsageError('--name NAME is needed.');
  if (everywhere && workspace !== undefined) {
    throw new UsageError('Give either --workspace ID or --all-workspaces.');
  }
  const request = {
    name,
    permissions: permissions === undefined ? [...PERMISSIONS] : readPermissions(permissions),
    workspaceId: everywhere ? null : (workspace ?? DEFAULT_WORKSPACE),
  };
  const [error] = errorsOf(request);
  if (error) {
    const option = error.pointer === '/workspaceId' ? 'workspace' : error.pointer.slice(1);
    throw new UsageError(`--${option}: ${error.detail}.`);
  }
  return request;
}

function readPermissions(text: string): Permission[] {
  const requested = text.split(',').map((word) => word.trim());
  const known: readonly string[] = PERMISSIONS;
  const unknown = requested.filter((word) => !known.includes(word));
  if (unknown.length > 0) {
    throw new UsageError(
      `--permissions: no such permission: ${unknown.join(', ')}; known: ${known.join(', ')}.`,
    );
  }
  return PERMISSIONS.filter((permission) => requested.includes(permission));
}

async function createManagementKey(
  { orm, pepper, rootKey }: CommandDatabase,
  hasher: Argon2Hasher,
  request: CreateManagementKey,
) {
  await requireKeyedAsBefore(orm, request.workspaceId ?? DEFAULT_WORKSPACE, pepper);
  const { checksumKey, clock } = await readInstallation(orm);
  if (new KeyDetector(checksumKey, rootKey).isContainedIn(request.name)) {
    throw new UsageError('--name contains an API key.');
  }
  const unitOfWork = new UnitOfWork(orm, clock, pepper);
  const issuer = new SecretIssuer(hasher, pepper, checksumKey);
  const service = new ManagementService({ orm, unitOfWork, issuer, clock });
  const unconditional = { ifMatch: null, mustBeNew: false, idempotency: null };
  const call = { caller: ROOT_CALLER, ...unconditional, ...operatorOrigin() };
  return service.create(call, request);
}
