import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Key } from '../api-types.ts';
import type { Bar } from '../components/bars.ts';
import { may } from '../session.ts';
import { readBars } from '../usage-report.ts';
import { workspaceId } from '../workspace.ts';

const DAYS = 30;
const DAY_MS = 86_400_000;

/** The last 30 days of each of these keys; null until they are known, or if they may not be read. */
export function useKeyUsage(keys: readonly Key[]): ReadonlyMap<string, Bar[]> | null {
  const usage = useSignal<ReadonlyMap<string, Bar[]> | null>(null);
  useEffect(() => {
    let isCurrent = true;
    usage.value = null;
    if (may('usage:read') && keys.length > 0) {
      const show = (days: Map<string, Bar[]>) => {
        if (isCurrent) usage.value = withAll(keys, days);
      };
      // The list is worth more than its bars.
      readDays(keys).then(show, () => show(new Map()));
    }
    return () => {
      isCurrent = false;
    };
  }, [keys]);
  return usage.value;
}

function readDays(keys: readonly Key[]): Promise<Map<string, Bar[]>> {
  return readBars(
    {
      workspaceId: workspaceId.value,
      from: new Date(Date.now() - (DAYS - 1) * DAY_MS).toISOString(),
      to: new Date().toISOString(),
      granularity: 'day',
      groupBy: ['key', 'time'],
      keyId: keys.map(({ id }) => id),
      limit: keys.length,
    },
    ({ keyId }) => keyId ?? '',
  );
}

/** Keys without use are in no group. */
function withAll(keys: readonly Key[], used: Map<string, Bar[]>): Map<string, Bar[]> {
  const none = Array.from({ length: DAYS }, () => ({ start: '', valid: 0, denied: 0 }));
  return new Map(keys.map(({ id }) => [id, used.get(id) ?? none]));
}
