import { sql } from 'drizzle-orm';
import type { Orm } from '../../db/database.ts';
import { webhookDeliveries, webhooks } from '../../db/schema.ts';
import { Counters, countersBy, gauge, type Metric } from '../../lib/metric.ts';
import { FAILURES, type Failure } from './attempt-result.ts';

/** What became of attempts, and how long the oldest event has waited. */
export class DeliveryCounts {
  readonly #results = new Counters(['delivered', ...FAILURES]);
  #oldestAgeMs: number | null = null;

  get metrics(): Metric[] {
    return [
      countersBy(
        'result',
        'keyward_webhook_attempts_total',
        'Attempts to deliver events to webhooks, by what became of them.',
        () => this.#results.entries(),
      ),
      gauge(
        'keyward_webhook_oldest_pending_age_seconds',
        'Age of the oldest event that waits for a webhook that is enabled; 0: none waits.',
        () => (this.#oldestAgeMs === null ? null : this.#oldestAgeMs / 1000),
      ),
    ];
  }

  add(error: Failure | null): void {
    this.#results.add(error ?? 'delivered');
  }

  async measure(orm: Orm, now: number): Promise<void> {
    const { rows } = await orm.execute<{ ms: number | null }>(sql`
      select extract(epoch from min(d.created_at))::float8 * 1000 as ms
        from ${webhookDeliveries} d
       where d.status = 'pending'
         and exists (select from ${webhooks} w
                      where w.id = d.webhook_id and w.enabled and w.deleted_at is null)`);
    const oldest = rows[0]?.ms ?? null;
    this.#oldestAgeMs = oldest === null ? 0 : Math.max(0, now - oldest);
  }
}
