import type { Key, Permission } from '../../api-types.ts';
import { may } from '../../session.ts';

interface Action {
  text: string;
  permission: Permission;
  isOffered: (key: Key) => boolean;
  isDanger?: boolean;
}

/** What can be done with a key in its status. */
const ACTIONS: Readonly<Record<string, Action>> = {
  edit: { text: 'Edit…', permission: 'keys:write', isOffered: isAlive },
  rotate: {
    text: 'Rotate…',
    permission: 'keys:write',
    isOffered: ({ status }) => status !== 'revoked' && status !== 'expired',
  },
  disable: {
    text: 'Disable…',
    permission: 'keys:write',
    isOffered: (key) => isAlive(key) && key.enabled,
  },
  enable: {
    text: 'Enable',
    permission: 'keys:write',
    isOffered: (key) => isAlive(key) && !key.enabled,
  },
  revoke: { text: 'Revoke…', permission: 'keys:revoke', isOffered: isAlive, isDanger: true },
  delete: {
    text: 'Delete…',
    permission: 'keys:revoke',
    isOffered: (key) => !isAlive(key),
    isDanger: true,
  },
};

function isAlive({ status }: Key): boolean {
  return status !== 'revoked';
}

export interface OfferedAction extends Pick<Action, 'text' | 'isDanger'> {
  name: string;
}

/** What the signed-in key may do with this one. */
export function offeredActions(key: Key): OfferedAction[] {
  return Object.entries(ACTIONS)
    .filter(([, { permission, isOffered }]) => may(permission) && isOffered(key))
    .map(([name, action]) => ({ name, ...action }));
}
