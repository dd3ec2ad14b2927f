import { AUDIT_ACTIONS } from '../src/audit/actions.ts';
import { EVENTS } from '../src/events/catalogue.ts';

/** The table of docs/events.md: every type of event, what it is about, and what happened. */
export function eventsTable(): string {
  const rows = AUDIT_ACTIONS.map((type) => {
    const { targetType, description } = EVENTS[type];
    return `| \`${type}\` | ${[targetType].flat().join(', ')} | ${description} |`;
  });
  return ['| type | about | what happened |', '| --- | --- | --- |', ...rows, ''].join('\n');
}
