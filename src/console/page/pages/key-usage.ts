import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, type Key } from '../api.ts';
import type { Bar } from '../components/bars.ts';
import { may } from '../session.ts';

const DAYS = 30;
const DAY_MS = 86_400_000;

/** The last 30 days of each of these keys; null until they are known, or if they may not be read. */
export function useKeyUsage(keys: readonly Key[]): ReadonlyMap<string, Bar[]> | null {
  const usage = useSignal<ReadonlyMap<string, Bar[]> | null>(null);
  useEffect(() => {
    let isCurrent = true;
    usage.value = null;
    if (may('usage:read')) {
      void Promise.all(keys.map(readDays)).then((days) => {
        if (isCurrent) usage.value = new Map(days);
      });
    }
    return () => {
      isCurrent = false;
    };
  }, [keys]);
  return usage.value;
}

async function readDays({ id, workspaceId }: Key): Promise<[string, Bar[]]> {
  const to = new Date().toISOString();
  const from = new Date(Date.now() - (DAYS - 1) * DAY_MS).toISOString();
  const { data } = await api.GET('/v1/keys/{id}/usage', {
    params: { path: { id }, query: { workspaceId, from, to, granularity: 'day' } },
  });
  return [id, (data?.buckets ?? []).map(toBar)];
}

export function toBar({
  start,
  total,
  byCode,
}: {
  start: string;
  total: number;
  byCode: Record<string, number>;
}): Bar {
  const { VALID: valid = 0 } = byCode;
  return { start, valid, denied: total - valid };
}
