import { base62 } from '../../support/forged-key.ts';
import type { AttackEnv } from '../harness/env.ts';
import { ROOT_KEY } from '../harness/service.ts';
import type { Scenario } from '../scenario.ts';

/** Reports of strings that were never issued. */
const forged = () => ({ key: `ak_live_${base62(65)}`, url: 'https://example.com/pastes/42' });
const report = (count: number) => ({
  path: '/v1/leaks',
  as: null,
  body: { keys: Array.from({ length: count }, forged) },
});

/** Nothing was matched, and nothing changed. */
async function nothingHappened(env: AttackEnv): Promise<string[]> {
  const response = await fetch(`${env.service.url}/metrics`, {
    headers: { authorization: `Bearer ${ROOT_KEY}` },
  });
  const text = await response.text();
  const matched = /^keyward_leak_reports_total\{outcome="matched"\} (\d+)$/m.exec(text)?.[1];
  const [row] = await env.query<{ entries: number }>(
    `select count(*)::int as entries from audit_events where actor_id = 'leak-reports'`,
  );
  return [
    ...(matched === '0' ? [] : [`${matched} forged strings matched a key`]),
    ...(row?.entries === 0 ? [] : ['a forged string changed something']),
  ];
}

export const LEAKS: readonly Scenario[] = [
  { variant: 'one-a-report', count: 1, perSecond: 300 },
  { variant: 'a-hundred-a-report', count: 100, perSecond: 40 },
].map(({ variant, count, perSecond }) => ({
  group: 'strangers',
  name: `forged-leaks/${variant}`,
  does: `reports ${count} forged strings as leaked at once, ${perSecond} times a second`,
  hotRatio: 2,
  attack: (attack) => attack.hammer({ connections: 20, perSecond }, () => report(count)),
  check: nothingHappened,
}));
