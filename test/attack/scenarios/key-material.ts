import { hash, randomBytes } from 'node:crypto';
import { Pepper } from '../../../src/domain/pepper.ts';
import type { AttackEnv } from '../harness/env.ts';
import { SECRET } from '../harness/service.ts';
import type { Site } from '../scenario.ts';

/** What the API takes of one key at most, in almost all of its fields at once: about 54 KiB. */
export function maximalKey(name: string): object {
  const own = randomBytes(6).toString('hex');
  return {
    name,
    description: 'd'.repeat(1000),
    scopes: longScopes(100, own),
    resources: texts(100, own).map((text) => text.padEnd(256, 'r')),
    allowedIps: texts(100, own).map(
      (_, at) => `2001:db8:${own.slice(0, 4)}:1111:2222:3333:4444:${at + 1000}`,
    ),
    metadata: { own, filler: 'm'.repeat(8000) },
  };
}

/** Scopes as long as they may be. */
export function longScopes(count: number, own: string): string[] {
  return texts(count, own).map((text) => text.padEnd(128, 's'));
}

function texts(count: number, own: string): string[] {
  return Array.from({ length: count }, (_, at) => `x${at}x${own}x`);
}

export interface Imported {
  /** As its holder presents it. */
  string: string;
  item: object;
}

/** Keys to import whose strings the importer knows. */
export function importable(count: number, make: (name: string) => object): Imported[] {
  return Array.from({ length: count }, (_, at) => {
    const string = `of-another-system-${randomBytes(24).toString('hex')}`;
    const value = hash('sha256', string);
    return { string, item: { ...make(`imported ${at}`), hash: { algorithm: 'sha256', value } } };
  });
}

/** As many as fit into one body of an import. */
export const MAXIMAL_AT_ONCE = 19;

export async function importMaximalKeys(env: AttackEnv, site: Site, count: number): Promise<void> {
  const items = importable(count, maximalKey).map(({ item }) => item);
  for (let from = 0; from < items.length; from += MAXIMAL_AT_ONCE) {
    const keys = items.slice(from, from + MAXIMAL_AT_ONCE);
    await env.must('POST', '/v1/keys/import', { keys }, site.managementKey);
  }
}

/** Active keys in the attacker's workspace, made by SQL. */
export async function seedAttackerKeys(env: AttackEnv, site: Site, count: number) {
  // Loaded only here, in the suite itself: attackers start sooner without it.
  const { seedKeys } = await import('../../../bench/seed.ts');
  const { workspaceId } = site;
  const seed = {
    keys: Math.ceil(count / 0.9),
    pepper: new Pepper(SECRET),
    workspaceId,
    sampleEvery: 1,
  };
  return seedKeys(env.databaseUrl, seed);
}

export async function createKey(env: AttackEnv, site: Site, options: object = {}) {
  const body = { name: 'of the attacker', ...options };
  const made = await env.must('POST', '/v1/keys', body, site.managementKey);
  return { id: String(made.id), key: String(made.key) };
}
