import type pg from 'pg';
import { chainHash, FIRST_HEAD } from '../../src/audit/chain.ts';
import { type AuditCheckOptions, checkLog } from '../../src/audit/check.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import { ormOf } from './database.ts';
import type { Instance } from './instance.ts';

/** The pepper of the KEYWARD_SECRET of test instances. */
const PEPPER = new Pepper('secret-of-the-tests-0123456789abcdef');

/** Checks the audit log of a workspace, with the secret unless the options say otherwise. */
export function checkAuditLog(
  client: pg.Client,
  workspaceId: string,
  options: Partial<AuditCheckOptions> = {},
) {
  return checkLog(ormOf(client), {
    workspaceId,
    peppers: new Map([[PEPPER.id, PEPPER]]),
    expected: [],
    allowUnkeyed: false,
    onProgress: () => {},
    ...options,
  });
}

/** Writes a number of audit entries, the first of which creates the workspace. */
export async function writeLog(instance: Instance, workspaceId: string, entries: number) {
  for (let entry = 1; entry <= entries; entry++) {
    const body = { name: `name ${entry}` };
    await instance.call('PUT', `/v1/workspaces/${workspaceId}`, { body });
  }
}

/** Runs SQL on the log with its triggers disabled, as only the owner of the table can. */
export async function tamper(client: pg.Client, text: string, values: unknown[] = []) {
  await client.query('alter table audit_events disable trigger user');
  await client.query(text, values);
  await client.query('alter table audit_events enable always trigger audit_append_only');
  await client.query('alter table audit_events enable always trigger audit_no_truncate');
  await client.query('alter table audit_events enable always trigger audit_append');
  await client.query('alter table audit_events enable always trigger audit_to_webhooks');
}

/**
 * Makes the hashes of a changed log consistent again, as far as that is possible without the
 * secret.
 */
export async function rewriteHashes(client: pg.Client, workspaceId: string): Promise<void> {
  const { rows } = await client.query<{ sequence: string; payload: string }>(
    'select sequence, payload from audit_events where workspace_id = $1 order by sequence',
    [workspaceId],
  );
  let head = FIRST_HEAD;
  for (const { sequence, payload } of rows) {
    head = { sequence: Number(sequence), hash: chainHash(head.hash, payload, null) };
    await tamper(
      client,
      'update audit_events set hash = $3, pepper_id = null where workspace_id = $1 and sequence = $2',
      [workspaceId, head.sequence, head.hash],
    );
  }
  await setHead(client, workspaceId, head.sequence, head.hash);
}

export async function setHead(
  client: pg.Client,
  workspaceId: string,
  sequence: number,
  hash: string,
): Promise<void> {
  await client.query('update audit_heads set sequence = $2, hash = $3 where workspace_id = $1', [
    workspaceId,
    sequence,
    hash,
  ]);
}
