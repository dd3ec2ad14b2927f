import { computed } from '@preact/signals';
import { place } from './router.ts';
import { session } from './session.ts';

/** The workspace whose keys are shown: that of the signed-in key, else what the address says. */
export const workspaceId = computed(() => {
  const bound = session.value?.caller.workspaceId;
  return bound ?? place.value.query.get('workspaceId') ?? 'default';
});

/** Lists show all workspaces at once. */
export const EVERY_WORKSPACE = '*';
export const isEvery = computed(() => workspaceId.value === EVERY_WORKSPACE);

/** Whether the reader may look at other workspaces. */
export const isUnbound = computed(() => session.value?.caller.workspaceId === null);
