import { describe, expect, it } from 'vitest';
import { checkHistory } from '../history/check/check.ts';
import type { Ending, Flush } from '../history/history.ts';
import { HistoryBuilder, KEY, REF } from '../history/history-builder.ts';

function violationsIn(history: HistoryBuilder): string[] {
  return checkHistory(history.entries).map(({ promise, what }) => `${promise}: ${what}`);
}

const flush = (sequence: number, at: number): Flush => ({
  type: 'flush',
  instance: 0,
  sequence,
  at,
});
const ending = (how: Ending['how'], at: number, exitCode: number | null = null): Ending => ({
  type: 'ending',
  instance: 0,
  how,
  exitCode,
  born: 0,
  at,
});

describe('P3: counters are exact', () => {
  it('the history checker finds a lost count and one too many', () => {
    const answered = HistoryBuilder.withKey().verify(10, 12, 'VALID').verify(13, 15, 'VALID');
    expect(violationsIn(answered.withCounts({ [`${REF} VALID`]: 1 }))).toEqual([
      `P3: ${REF} VALID: 2 answered, 1 counted, at most 0 may be lost`,
    ]);
    const once = HistoryBuilder.withKey()
      .verify(10, 12, 'VALID')
      .withCounts({ [`${REF} VALID`]: 2 });
    expect(violationsIn(once)).toEqual([
      `P3: ${REF}: 1 counted too often, only 0 calls were not answered`,
    ]);
  });

  it('the history checker allows an unanswered verification to be counted or not', () => {
    const history = () => HistoryBuilder.withKey().verify(10, 12, 'VALID').verify(20, 30, null);
    expect(violationsIn(history().withCounts({ [`${REF} VALID`]: 1 }))).toEqual([]);
    expect(violationsIn(history().withCounts({ [`${REF} REVOKED`]: 1 }))).toEqual([]);
    expect(violationsIn(history().withCounts({ [`${REF} VALID`]: 3 }))).toHaveLength(1);
  });

  it('the history checker allows a kill -9 to lose what was answered since the flush before the last', () => {
    const killed = (...flushes: Flush[]) =>
      HistoryBuilder.withKey()
        .verify(10, 12, 'VALID')
        .add(...flushes, ending('killed', 40))
        .withCounts({ [`${REF} VALID`]: 0 });
    expect(violationsIn(killed())).toEqual([]);
    expect(violationsIn(killed(flush(1, 5)))).toEqual([]);
    expect(violationsIn(killed(flush(1, 5), flush(2, 11)))).toEqual([]);
    // The second flush was frozen after the first returned, so it contains the answers before 13.
    expect(violationsIn(killed(flush(1, 13), flush(2, 20)))).toHaveLength(1);
    // Recorded twice, because the answer to the first commit was lost: it counts as one flush.
    expect(violationsIn(killed(flush(1, 13), flush(1, 20)))).toEqual([]);
  });

  it('the history checker allows no other instance and no clean stop to lose a count', () => {
    const lost = { [`${REF} VALID`]: 0 };
    const other = HistoryBuilder.withKey().verify(10, 12, 'VALID', { instance: 1 });
    expect(violationsIn(other.add(ending('killed', 40)).withCounts(lost))).toHaveLength(1);
    const stopped = HistoryBuilder.withKey()
      .verify(10, 12, 'VALID')
      .add(ending('asked', 40, 0));
    expect(violationsIn(stopped.withCounts(lost))).toHaveLength(1);
  });

  it('the history checker finds an unclean stop, if the database was not away', () => {
    expect(violationsIn(HistoryBuilder.withKey().add(ending('asked', 40, 1)))).toEqual([
      'answers: instance 0 ended with 1, asked',
    ]);
    const away = { kind: 'cut', isOfDatabase: true, instance: 0, start: 20, end: 35 };
    const excused = HistoryBuilder.withKey().add(
      { type: 'fault', ...away },
      ending('asked', 40, 1),
    );
    expect(violationsIn(excused)).toEqual([]);
    expect(violationsIn(HistoryBuilder.withKey().add(ending('by-itself', 40, 1)))).toHaveLength(1);
  });
});

describe('P4: limits and credits', () => {
  const spending = (credits: number, answers: (string | null)[], final: number) => {
    const history = HistoryBuilder.withKey({ credits });
    for (const [i, code] of answers.entries()) history.verify(10 + 10 * i, 12 + 10 * i, code);
    return history.withCounts().add({ type: 'balance', keyId: KEY, credits: final });
  };

  it('the history checker accepts balances that lost no less than was answered, and no more than was sent', () => {
    expect(violationsIn(spending(5, ['VALID', 'VALID'], 3))).toEqual([]);
    expect(violationsIn(spending(5, ['VALID', 'VALID'], 4))).toHaveLength(1);
    expect(violationsIn(spending(5, ['VALID', 'VALID'], 2))).toHaveLength(1);
    expect(violationsIn(spending(5, ['VALID', null], 3))).toEqual([]);
    expect(violationsIn(spending(5, ['VALID', null], 4))).toEqual([]);
  });

  it('the history checker follows a balance over changes, by what the audit log says of them', () => {
    const changed = (before: number, final: number) =>
      HistoryBuilder.withKey({ credits: 5 })
        .verify(10, 12, 'VALID')
        .change('credits', 20, 25, { balance: [before, 10] })
        .verify(30, 32, 'VALID')
        .withCounts()
        .add({ type: 'balance', keyId: KEY, credits: final });
    expect(violationsIn(changed(4, 9))).toEqual([]);
    expect(violationsIn(changed(3, 9))).toHaveLength(1);
    expect(violationsIn(changed(4, 10))).toHaveLength(1);
  });

  it('the history checker finds a denial that consumed something', () => {
    expect(violationsIn(spending(1, ['VALID', 'CREDITS_EXHAUSTED'], 0))).toEqual([]);
    const scoped = HistoryBuilder.withKey({ credits: 5 }).verify(10, 12, 'INSUFFICIENT_SCOPE', {
      requested: { scope: 'write', cost: 1 },
    });
    expect(
      violationsIn(scoped.withCounts().add({ type: 'balance', keyId: KEY, credits: 4 })),
    ).toHaveLength(1);
  });

  it('the history checker finds a key that stayed exhausted after credits had been added', () => {
    const added = (start: number) =>
      HistoryBuilder.withKey({ credits: 0 })
        .verify(10, 12, 'CREDITS_EXHAUSTED')
        .change('credits', 20, 25, { balance: [0, 10] })
        .verify(start, start + 2, 'CREDITS_EXHAUSTED')
        .withCounts();
    expect(violationsIn(added(22))).toEqual([]);
    expect(violationsIn(added(30))).toEqual([
      `P4: ${KEY}: exhausted, but at least 10 credits were left`,
    ]);
  });

  const limit = { units: 2, windowSeconds: 1 };
  const limited = (...times: number[]) => {
    const history = HistoryBuilder.withKey({ limit });
    for (const time of times) history.verify(time, time + 2, 'VALID');
    return history;
  };

  it('the history checker finds more than the limit within any window, wherever it begins', () => {
    expect(violationsIn(limited(10, 20, 1100, 1200).withCounts())).toEqual([]);
    expect(violationsIn(limited(10, 500, 900).withCounts())).toEqual([
      `P4: ${KEY}: 3 units within 1 s, the limit is 2`,
    ]);
    expect(violationsIn(limited(10, 1100, 1150, 2050).withCounts())).toHaveLength(1);
  });

  it('the history checker counts units by cost, and nothing for a cost of 0', () => {
    const asked = (cost: number) =>
      limited(10, 20).verify(30, 32, 'VALID', { requested: { cost } });
    expect(violationsIn(asked(0).withCounts())).toEqual([]);
    expect(violationsIn(asked(1).withCounts())).toHaveLength(1);
  });

  it('the history checker finds a denial by a limit that had room, and one that survived a higher limit', () => {
    expect(violationsIn(limited(10).verify(500, 502, 'RATE_LIMITED').withCounts())).toHaveLength(1);
    expect(violationsIn(limited(10, 20).verify(500, 502, 'RATE_LIMITED').withCounts())).toEqual([]);
    const raised = limited(10, 20).change('patch', 100, 110, {
      changed: { limit: { units: 5, windowSeconds: 1 } },
    });
    expect(violationsIn(raised.verify(200, 202, 'RATE_LIMITED').withCounts())).toHaveLength(1);
  });
});
