import { describe, expect, it } from 'vitest';
import { checkHistory } from '../history/check/check.ts';
import { at, HistoryBuilder, KEY } from '../history/history-builder.ts';

/** The violations in a history whose counters are correct. */
function violationsIn(history: HistoryBuilder): string[] {
  return checkHistory(history.withCounts().entries).map(
    ({ promise, what }) => `${promise}: ${what}`,
  );
}

describe('P1: what was taken away is gone', () => {
  it('the history checker finds VALID that began after a revocation had returned', () => {
    const history = HistoryBuilder.withKey().change('revoke', 10, 20).verify(21, 25, 'VALID');
    expect(violationsIn(history)).toEqual(['P1: said VALID although only REVOKED can be true']);
  });

  it('the history checker allows either answer while a revocation is in flight, and REVOKED after it', () => {
    const history = HistoryBuilder.withKey()
      .change('revoke', 10, 20)
      .verify(5, 11, 'VALID')
      .verify(12, 18, 'REVOKED')
      .verify(21, 25, 'REVOKED');
    expect(violationsIn(history)).toEqual([]);
  });

  it('the history checker finds VALID after another verification had seen the revocation', () => {
    const history = HistoryBuilder.withKey()
      .change('revoke', 10, 100)
      .verify(12, 18, 'REVOKED')
      .verify(20, 25, 'VALID');
    expect(violationsIn(history)).toEqual(['P1: said VALID although only REVOKED can be true']);
  });

  it.each([
    ['disabled', { enabled: false }, 'DISABLED'],
    ['narrowed in its scopes', { scopes: ['write'] }, 'INSUFFICIENT_SCOPE'],
    ['narrowed in its resources', { resources: [] }, 'RESOURCE_NOT_ALLOWED'],
    ['narrowed in its addresses', { allowedIps: ['192.0.2.2'] }, 'IP_NOT_ALLOWED'],
    ['expired', { expiresAt: at(15) }, 'EXPIRED'],
  ])('the history checker finds VALID of a key that was %s', (_, changed, code) => {
    const requested = { scope: 'read', resource: 'project:a', ip: '192.0.2.1', cost: 1 };
    const history = HistoryBuilder.withKey()
      .change('patch', 10, 20, { changed })
      .verify(60, 65, 'VALID', { requested });
    expect(violationsIn(history)).toEqual([`P1: said VALID although only ${code} can be true`]);
  });

  it('the history checker allows what was given back', () => {
    const history = HistoryBuilder.withKey()
      .change('patch', 10, 20, { changed: { enabled: false } })
      .verify(21, 25, 'DISABLED')
      .change('patch', 30, 40, { changed: { enabled: true } })
      .verify(31, 33, 'VALID')
      .verify(41, 45, 'VALID');
    expect(violationsIn(history)).toEqual([]);
  });

  it('the history checker finds VALID of a string that was rotated away, and allows its grace period', () => {
    const rotated = (graceSeconds: number) =>
      HistoryBuilder.withKey().change('rotate', 10, 20, {
        changed: { graceSeconds },
        newRef: 'ref_b',
      });
    expect(violationsIn(rotated(0).verify(21, 25, 'VALID'))).toHaveLength(1);
    expect(
      violationsIn(rotated(2).verify(21, 25, 'VALID').verify(21, 25, 'VALID', { ref: 'ref_b' })),
    ).toEqual([]);
    expect(violationsIn(rotated(2).verify(3000, 3005, 'VALID'))).toHaveLength(1);
    expect(
      violationsIn(rotated(60).change('end-grace', 30, 40).verify(41, 45, 'VALID')),
    ).toHaveLength(1);
  });

  it('the history checker knows by the audit log which of two concurrent rotations came first', () => {
    const rotatedTwice = () =>
      HistoryBuilder.withKey()
        .change('rotate', 10, 30, { changed: { graceSeconds: 0 }, newRef: 'ref_b' })
        .change('rotate', 10, 29, { changed: { graceSeconds: 0 }, newRef: 'ref_c' });
    expect(violationsIn(rotatedTwice().verify(40, 45, 'VALID', { ref: 'ref_c' }))).toEqual([]);
    expect(violationsIn(rotatedTwice().verify(40, 45, 'VALID', { ref: 'ref_b' }))).toHaveLength(1);
  });

  it('the history checker finds VALID in a suspended workspace', () => {
    const history = HistoryBuilder.withKey()
      .change('suspend', 10, 20, { targets: ['default'] })
      .verify(21, 25, 'VALID');
    expect(violationsIn(history)).toEqual([
      'P1: said VALID although only WORKSPACE_SUSPENDED can be true',
    ]);
  });

  it('the history checker finds a revoked management key that was still accepted', () => {
    const management = { targets: ['mk_a'], workspaceId: 'default' };
    const history = HistoryBuilder.withKey()
      .change('create-management', 2, 3, { ...management, newRef: 'mk_ref' })
      .change('revoke-management', 10, 20, management)
      .verify(21, 25, 'VALID', { as: 'mk_ref' })
      .add({ type: 'count', ref: 'mk_ref', code: 'VALID', count: 1 });
    expect(violationsIn(history)).toEqual(['P1: a management key that had ended was accepted']);
  });

  it('the history checker finds a forged string that was accepted', () => {
    expect(
      violationsIn(HistoryBuilder.withKey().verify(10, 15, 'VALID', { forged: true })),
    ).toEqual(['P1: said VALID although only NOT_FOUND can be true']);
  });

  it('the history checker takes an unanswered change as made if the audit log has it, else as not made', () => {
    const unanswered = (recorded: boolean) =>
      HistoryBuilder.withKey().change('revoke', 10, 20, { status: null, recorded });
    expect(
      violationsIn(unanswered(true).verify(30, 35, 'VALID').verify(40, 45, 'REVOKED')),
    ).toEqual([]);
    expect(violationsIn(unanswered(false).verify(30, 35, 'REVOKED'))).toHaveLength(1);
  });

  it('the history checker takes an unanswered change as in force once a later change of its workspace was answered', () => {
    const history = HistoryBuilder.withKey()
      .change('revoke', 10, 20, { status: 503 })
      .change('create', 30, 40, { targets: ['key_b'], newRef: 'ref_b' })
      .verify(41, 45, 'VALID');
    expect(violationsIn(history)).toEqual(['P1: said VALID although only REVOKED can be true']);
  });
});

describe('no denial without an explanation', () => {
  it.each(['REVOKED', 'DISABLED', 'NOT_FOUND', 'CREDITS_EXHAUSTED'])(
    'the history checker finds a %s that nothing explains',
    (code) => {
      expect(violationsIn(HistoryBuilder.withKey().verify(10, 15, code))).toHaveLength(1);
    },
  );

  it('the history checker allows a 503 at any time, and no other error', () => {
    const refused = (status: number) => HistoryBuilder.withKey().verify(10, 15, null, { status });
    expect(violationsIn(refused(503))).toEqual([]);
    expect(violationsIn(refused(500))).toEqual(['answers: verify answered 500']);
  });
});

describe('P6: every change is on the record', () => {
  it('the history checker finds an acknowledged change without its audit entry', () => {
    const history = HistoryBuilder.withKey().change('rotate', 10, 20, {
      newRef: 'ref_b',
      recorded: false,
    });
    expect(violationsIn(history)).toEqual([
      `P6: an acknowledged rotate of ${KEY} is not on the record`,
    ]);
  });

  it('the history checker requires no audit entry of a revocation that found the key revoked', () => {
    const history = HistoryBuilder.withKey()
      .change('revoke', 10, 20)
      .change('revoke', 30, 40, { recorded: false });
    expect(violationsIn(history)).toEqual([]);
    const first = HistoryBuilder.withKey().change('revoke', 10, 20, { recorded: false });
    expect(violationsIn(first)).toHaveLength(1);
  });

  it('the history checker finds an entry that was not requested, one of a refused change, and a second one', () => {
    const stranger = { id: 'x', op: 'revoke', start: 5, workspaceId: 'default' } as const;
    expect(violationsIn(HistoryBuilder.withKey().audit(stranger, KEY))).toHaveLength(1);
    expect(
      violationsIn(HistoryBuilder.withKey().change('patch', 10, 20, { status: 409 })),
    ).toHaveLength(1);
    const twice = HistoryBuilder.withKey().audit(
      { id: 'c0', op: 'create', start: 0, workspaceId: 'default' },
      KEY,
    );
    expect(violationsIn(twice)).toEqual([`P6: key.created of ${KEY} is recorded twice`]);
  });

  it('the history checker finds a broken chain', () => {
    const history = HistoryBuilder.withKey().add({
      type: 'chain',
      intact: false,
      said: 'entry 3 is missing',
    });
    expect(violationsIn(history)).toEqual(['P6: the chain is broken: entry 3 is missing']);
  });

  it('the history checker finds nothing in an empty history', () => {
    expect(violationsIn(new HistoryBuilder())).toEqual([]);
  });
});
