const DAY_MS = 86_400_000;

/** The same all day: cursors are of one list. */
function daysFromToday(days: number): string {
  return new Date((Math.floor(Date.now() / DAY_MS) + days) * DAY_MS).toISOString();
}

/** The views of the list: what each asks the API for. */
export const VIEWS = {
  active: { title: 'Active', filter: () => ({ status: ['active', 'scheduled'] as const }) },
  expiring: {
    title: 'Expiring',
    filter: () => ({
      status: ['active'] as const,
      expiresBefore: daysFromToday(30),
      sort: 'expiresAt' as const,
    }),
  },
  unused: {
    title: 'Never used',
    filter: () => ({ status: ['active'] as const, neverUsed: true }),
  },
  disabled: { title: 'Disabled', filter: () => ({ status: ['disabled'] as const }) },
  expired: { title: 'Expired', filter: () => ({ status: ['expired'] as const }) },
  revoked: { title: 'Revoked', filter: () => ({ status: ['revoked'] as const }) },
  all: { title: 'All', filter: () => ({}) },
};
export type View = keyof typeof VIEWS;

export const SORTS = [
  ['-createdAt', 'Newest first'],
  ['name', 'By name'],
  ['expiresAt', 'Next to expire'],
] as const;

/** When the keys were last used: what each asks the API for. */
export const USES = {
  '': { title: 'Used at any time', filter: () => ({}) },
  'last-7-days': {
    title: 'Used in the last 7 days',
    filter: () => ({ lastUsedAfter: daysFromToday(-7) }),
  },
  'not-for-30-days': {
    title: 'Not used for 30 days',
    filter: () => ({ lastUsedBefore: daysFromToday(-30) }),
  },
  'not-for-90-days': {
    title: 'Not used for 90 days',
    filter: () => ({ lastUsedBefore: daysFromToday(-90) }),
  },
};
export type Use = keyof typeof USES;

export function viewOf(name: string | null): View {
  return isView(name) ? name : 'active';
}

function isView(name: string | null): name is View {
  return name !== null && Object.hasOwn(VIEWS, name);
}

export function useOf(name: string | null): Use {
  return isUse(name) ? name : '';
}

function isUse(name: string | null): name is Use {
  return name !== null && Object.hasOwn(USES, name);
}
