import type { Attack } from './harness/attack.ts';
import type { AttackEnv } from './harness/env.ts';

/** Groups run one after the other, each on a service of its own and after a baseline of its own. */
export const GROUPS = ['strangers', 'tenant', 'thief', 'isolation'] as const;
type Group = (typeof GROUPS)[number];

/** What a set-up prepared for its attack, which runs in another process: plain data. */
export type Given = Readonly<Record<string, readonly string[]>>;

/** One attack on a running service, beside which customers of other workspaces work on. */
export interface Scenario {
  /** `family/variant`: `--only` takes either. */
  name: string;
  group: Group;
  /** What the attacker does, for people. */
  does: string;
  /** How many times as long hot verifications may take as without attack; by default as the rules say. */
  hotRatio?: number;
  /** Runs before the victims begin. */
  setUp?: (env: AttackEnv, site: Site) => Promise<Given>;
  /** Runs in the attacker's process until its signal, or until it has nothing more to do. */
  attack: (attack: Attack) => Promise<void>;
  /** Runs after the attack; returns what was not as it must be. */
  check?: (env: AttackEnv, site: Site, given: Given) => Promise<string[]>;
}

/** The two workspaces of one scenario, which share nothing with those of another. */
export interface Site {
  /** The attacker's workspace, and a management key with every permission in it. */
  workspaceId: string;
  managementKey: string;
  victim: VictimSite;
}

interface VictimSite {
  workspaceId: string;
  managementKey: string;
  /** A key that no victim uses, so that an attack may be made on it. */
  spare: { id: string; key: string };
}

/** What the attacker's process is told. */
export interface Target extends Site {
  scenario: string;
  url: string;
  /** As the owner of the tables. */
  databaseUrl: string;
  /** The role of the service, which has its privileges alone. */
  runtimeRole: string;
  given: Given;
}
