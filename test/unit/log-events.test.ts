import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { traceIdOf } from '../../src/http/trace-parent.ts';
import { LOG_EVENTS } from '../../src/lib/log-events.ts';

const PAGE = readFileSync(new URL('../../docs/logs.md', import.meta.url), 'utf8');
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

it('docs/logs.md has each event with its meaning and what to do, and no other', () => {
  const rows = [...PAGE.matchAll(/^\| `([\w.]+)` \| [\w, ]+ \| .{10,} \| .{5,} \|$/gm)];
  expect(rows.map(([, event]) => event)).toEqual([...LOG_EVENTS]);
});

it.each([
  ['of version 00', `00-${TRACE}-00f067aa0ba902b7-01`, TRACE],
  ['of a later version', `01-${TRACE}-00f067aa0ba902b7-01`, TRACE],
  ['of a later version with more fields', `01-${TRACE}-00f067aa0ba902b7-01-what-comes`, TRACE],
  ['of version 00 with more fields', `00-${TRACE}-00f067aa0ba902b7-01-what-comes`, undefined],
  ['of the invalid version', `ff-${TRACE}-00f067aa0ba902b7-01`, undefined],
  ['without a trace', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, undefined],
  ['without a parent', `00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
  ['in capitals', `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`, undefined],
  ['that is cut off', `00-${TRACE}-00f067aa0ba902b7`, undefined],
  ['that is a key', 'ak_live_0123456789abcdef', undefined],
])('a traceparent %s is read as W3C Trace Context says: %s', (_what, traceparent, traceId) => {
  expect(traceIdOf({ traceparent })).toBe(traceId);
});
