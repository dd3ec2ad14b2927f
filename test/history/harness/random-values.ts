import type { RequestedAccess } from '../history.ts';
import type { Random } from './random.ts';

const SCOPES = ['read', 'write', 'admin'] as const;
const RESOURCES = ['project:a', 'project:b'] as const;
const IPS = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;

/** Requests most kinds of access, so that every restriction shows. */
export function randomAccess(random: Random): RequestedAccess {
  return {
    ...(random.chance(0.6) && { scope: random.pick(SCOPES) }),
    ...(random.chance(0.5) && { resource: random.pick(RESOURCES) }),
    ...(random.chance(0.8) && { ip: random.pick(IPS) }),
    cost: random.weighted([
      [8, 1],
      [1, 2],
      [1, 0],
    ]),
  };
}

export function randomScopes(random: Random): string[] {
  return SCOPES.filter(() => random.chance(0.7));
}

export function randomResources(random: Random): string[] | null {
  return random.chance(0.5) ? null : RESOURCES.filter(() => random.chance(0.7));
}

export function randomIps(random: Random): string[] | null {
  return random.chance(0.5) ? null : IPS.filter(() => random.chance(0.7));
}

/** Soon, so that it passes while the key is being verified; or never. */
export function randomExpiry(random: Random): number | null {
  return random.chance(0.4) ? null : Date.now() + random.between(1500, 20_000);
}
