import { type SQL, sql } from 'drizzle-orm';
import { at, DAY_MS, living, NOT_ENDED } from '../../db/key-predicates.ts';

export const KEY_SECTIONS = [
  'never-used',
  'idle',
  'without-expiry',
  'expiring',
  'all-scopes',
  'many-scopes',
  'rotation-due',
  'imported-never-rotated',
  'retiring-in-use',
  'disabled-long',
] as const;
export type KeySection = (typeof KEY_SECTIONS)[number];
export const OWNER_SECTION = 'owners-without-active-keys';

/** Which keys (`k`) a section has, in the form that its index supports. */
export interface SectionQuery {
  from: SQL;
  where: SQL;
  /** Where the index has the workspace and the id of the key. */
  workspaceId: SQL;
  id: SQL;
  /** What the index has between them, and its type; null: the same in all rows. */
  order: { by: SQL; type: SQL } | null;
  /** The time that the section is about. */
  since: SQL;
}

/** From where on something should be looked at. */
interface HygieneParameters {
  idleDays: number;
  expiringDays: number;
  maxScopes: number;
  rotateAfterDays: number;
  disabledDays: number;
}

export interface SectionInput extends HygieneParameters {
  now: number;
}

/** A key may be on its way to where it will be used. */
const NEW_KEY_MS = DAY_MS;

const EXPIRY = sql`coalesce(k.expires_at, 'infinity'::timestamptz)`;

const OF_KEYS = { workspaceId: sql`k.workspace_id`, id: sql`k.id` };
export const OF_USAGE = {
  from: sql`key_usage u join keys k on k.workspace_id = u.workspace_id and k.id = u.key_id`,
  workspaceId: sql`u.workspace_id`,
  id: sql`u.key_id`,
};
const OF_SECRETS = {
  from: sql`secrets s join keys k on k.workspace_id = s.workspace_id and k.id = s.key_id`,
  workspaceId: sql`s.workspace_id`,
  id: sql`s.key_id`,
  order: { by: sql`s.created_at`, type: sql`timestamptz` },
  since: sql`s.created_at`,
};
const byCreation = { by: sql`k.created_at`, type: sql`timestamptz` };
const byExpiry = { by: EXPIRY, type: sql`timestamptz` };

const SECTIONS: Record<KeySection, (input: SectionInput) => SectionQuery> = {
  'never-used': ({ now }) => ({
    ...OF_USAGE,
    where: sql`u.last_used_day is null and not u.ended and k.created_at < ${at(now - NEW_KEY_MS)} and ${living(now)}`,
    order: null,
    since: sql`k.created_at`,
  }),
  idle: ({ now, idleDays }) => ({
    ...OF_USAGE,
    where: usedBefore(now - idleDays * DAY_MS, now),
    order: { by: sql`u.last_used_day`, type: sql`date` },
    since: sql`u.last_used_at`,
  }),
  'without-expiry': () => ({
    ...OF_KEYS,
    from: sql`keys k`,
    where: sql`${NOT_ENDED} and ${EXPIRY} = 'infinity'::timestamptz`,
    order: byExpiry,
    since: sql`k.created_at`,
  }),
  expiring: ({ now, expiringDays }) => ({
    ...OF_KEYS,
    from: sql`keys k`,
    where: sql`${NOT_ENDED} and ${EXPIRY} > ${at(now)} and ${EXPIRY} <= ${at(now + expiringDays * DAY_MS)}`,
    order: byExpiry,
    since: sql`k.expires_at`,
  }),
  'all-scopes': ({ now }) => ({
    ...OF_KEYS,
    from: sql`keys k`,
    where: sql`k.scopes @> '{*}'::text[] and ${living(now)}`,
    order: byCreation,
    since: sql`k.created_at`,
  }),
  'many-scopes': ({ now, maxScopes }) => ({
    ...OF_KEYS,
    from: sql`keys k`,
    where: sql`cardinality(k.scopes) > 5 and - cardinality(k.scopes) < ${-maxScopes}::integer and ${living(now)}`,
    order: { by: sql`(- cardinality(k.scopes))`, type: sql`integer` },
    since: sql`k.created_at`,
  }),
  'rotation-due': ({ now, rotateAfterDays }) => ({
    ...OF_SECRETS,
    where: sql`s.status = 'current' and not s.ended and s.created_at < ${at(now - rotateAfterDays * DAY_MS)} and ${living(now)}`,
  }),
  'imported-never-rotated': ({ now }) => ({
    ...OF_SECRETS,
    where: sql`s.status = 'current' and position('@' in s.ref) > 0 and not s.ended and ${living(now)}`,
  }),
  'retiring-in-use': ({ now }) => ({
    ...OF_SECRETS,
    from: sql`${OF_SECRETS.from}
              join secrets c on c.key_id = s.key_id and c.status = 'current'
              join secret_usage v on v.secret_ref = s.ref`,
    where: sql`s.status = 'retiring' and s.valid_until > ${at(now)} and v.last_used_at > c.created_at and ${living(now)}`,
    order: { by: sql`s.valid_until`, type: sql`timestamptz` },
    since: sql`v.last_used_at`,
  }),
  'disabled-long': ({ now, disabledDays }) => ({
    ...OF_KEYS,
    from: sql`keys k`,
    where: sql`not k.enabled and k.updated_at < ${at(now - disabledDays * DAY_MS)} and ${living(now)}`,
    order: byCreation,
    since: sql`k.updated_at`,
  }),
};

export function sectionQuery(section: KeySection, input: SectionInput): SectionQuery {
  return SECTIONS[section](input);
}

/** The index has the day, in UTC: on the day of the bound the time decides. */
function usedBefore(before: number, now: number): SQL {
  const day = new Date(before).toISOString().slice(0, 10);
  return sql`u.last_used_day <= ${day}::date and not u.ended and u.last_used_at < ${at(before)} and ${living(now)}`;
}

/** Whether an owner of keys `k` has none that is active or will be. */
export function hasNoActiveKey(now: number): SQL {
  return sql`not bool_or(k.enabled and k.revoked_at is null
                         and (k.expires_at is null or k.expires_at > ${at(now)}))`;
}
