import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pruneFeed } from '../../src/freshness/feed-pruning.ts';
import { UnavailableError } from '../../src/lib/unavailable-error.ts';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { insertKey } from '../support/sql-keys.ts';

const WRITERS = 3;

let database: TestDatabase;
let writers: pg.Client[];
let admin: pg.Client;
let fixtures: CacheFixture[];

beforeAll(async () => {
  database = await createTestDatabase();
  fixtures = [await startCacheFixture(database.url), await startCacheFixture(database.url)];
  writers = Array.from({ length: WRITERS }, () => new pg.Client(database.url));
  admin = new pg.Client(database.url);
  await Promise.all([...writers, admin].map((client) => client.connect()));
});
afterAll(async () => {
  for (const { database: own } of fixtures) await own.close();
  for (const client of [...writers, admin]) await client.end();
  await database.drop();
});

/** One key with all its past values, changed by one transaction at a time. */
interface Subject {
  ref: string;
  writer: pg.Client;
  /** Committed values in order; null if the key did not exist. */
  values: (string | null)[];
  /** The value of an open transaction. */
  open: string | null | undefined;
}

interface Question {
  subject: Subject;
  /** The number of values that were committed when it was sent. */
  from: number;
  answer: Promise<string | null>;
}

/** Every statement of a fixture waits at each point until the schedule releases it. */
function holdEverything({ database: own }: CacheFixture): (() => void)[] {
  const waiting: (() => void)[] = [];
  own.pause = () => new Promise((resolve) => waiting.push(resolve));
  return waiting;
}

/** Returns when every statement waits at a point, so that schedules are reproducible. */
async function settle(): Promise<void> {
  do for (let i = 0; i < 3; i++) await setImmediate();
  while (fixtures.some(({ database: own }) => own.running > 0));
}

async function write(subject: Subject, version: number): Promise<void> {
  const { writer, ref } = subject;
  const current = subject.values.at(-1);
  await writer.query('begin');
  if (current === null) {
    subject.open = `v${version}`;
    await insertKey(writer, { id: `key_${ref}`, ref, name: subject.open });
  } else if (version % 4 === 3) {
    subject.open = null;
    await writer.query('delete from secrets where ref = $1', [ref]);
    await writer.query('delete from keys where id = $1', [`key_${ref}`]);
  } else {
    subject.open = `v${version}`;
    const id = `key_${ref}`;
    await writer.query('update keys set name = $1 where id = $2', [subject.open, id]);
  }
}

async function end(subject: Subject, how: 'commit' | 'rollback'): Promise<void> {
  await subject.writer.query(how);
  if (how === 'commit' && subject.open !== undefined) subject.values.push(subject.open);
  subject.open = undefined;
}

const REFUSED = Symbol('refused');

/** A refusal is also correct, after several resets in a row. */
function refusal(error: unknown): typeof REFUSED {
  if (error instanceof UnavailableError) return REFUSED;
  throw error;
}

/** An answer is correct if the key had that value at some moment since the request. */
async function check({ subject, from, answer }: Question): Promise<void> {
  const observed = await answer.catch(refusal);
  if (observed === REFUSED) return;
  expect(subject.values.slice(from - 1)).toContain(observed);
}

type Step =
  | { do: 'write' | 'commit' | 'rollback'; subject: number }
  | { do: 'ask'; subject: number; fixture: number }
  | { do: 'release'; fixture: number; which: number }
  | { do: 'prune' }
  | { do: 'reset' };

const subject = fc.nat(WRITERS - 1);
const fixture = fc.nat(1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('write' as const), subject }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const), subject }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const), subject }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), subject, fixture }) },
  {
    weight: 14,
    arbitrary: fc.record({ do: fc.constant('release' as const), fixture, which: fc.nat(5) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'prune' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'reset' as const }) },
);

class Schedule {
  readonly #subjects: Subject[];
  readonly #waiting = fixtures.map(holdEverything);
  readonly #questions: Question[] = [];
  #version = 0;

  constructor() {
    this.#subjects = writers.map((writer) => {
      return { ref: randomBytes(8).toString('hex'), writer, values: [null], open: undefined };
    });
  }

  async take(next: Step): Promise<void> {
    if (next.do === 'prune') await pruneFeed(fixtures[0]?.database.orm ?? never(), 0);
    else if (next.do === 'reset')
      await admin.query('update incarnation set id = gen_random_uuid()');
    else if (next.do === 'release') this.#release(next);
    else if (next.do === 'ask') this.#ask(next);
    else await this.#change(next.do, this.#subjects[next.subject] ?? never());
    await settle();
  }

  /** Releases everything until every request has its answer. */
  async finish(): Promise<void> {
    for (const { database: own } of fixtures) own.pause = () => Promise.resolve();
    for (const waiting of this.#waiting) for (const go of waiting) go();
    for (const { writer, open } of this.#subjects) {
      if (open !== undefined) await writer.query('rollback');
    }
    await Promise.all(this.#questions.map(check));
  }

  #ask(next: { subject: number; fixture: number }): void {
    const asked = this.#subjects[next.subject] ?? never();
    const states = fixtures[next.fixture]?.cache ?? never();
    const answer = states.get(asked.ref).then((state) => state?.name ?? null);
    answer.catch(() => undefined);
    this.#questions.push({ subject: asked, from: asked.values.length, answer });
  }

  #release(next: { fixture: number; which: number }): void {
    const waiting = this.#waiting[next.fixture] ?? never();
    const [go] = waiting.splice(next.which % Math.max(1, waiting.length), 1);
    go?.();
  }

  async #change(what: 'write' | 'commit' | 'rollback', changed: Subject): Promise<void> {
    if (what === 'write' && changed.open === undefined) await write(changed, ++this.#version);
    if (what !== 'write' && changed.open !== undefined) await end(changed, what);
  }
}

function never(): never {
  throw new Error('no such thing');
}

it('in every order of loads, fences, commits, prunings and resets, no answer is older than its request', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 90 }), async (steps) => {
      const schedule = new Schedule();
      try {
        for (const next of steps) await schedule.take(next);
      } finally {
        await schedule.finish();
      }
    }),
    { numRuns: 150 },
  );
});
